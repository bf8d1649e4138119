// A state database in memory, whose contents outlive the process that opened it. Its writes are
// durable steps, before and after which a test can kill the process.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { makeDurableDirectory } from '../../protocol/runtime/disk/durableDirectory.ts'
import {
  applyChanges,
  entriesOf,
  type StoreContents,
  valuesOf,
} from '../../protocol/runtime/store/storeContents.ts'
import type { StateDatabase, StateReader } from '../state/stateDatabase.ts'
import type { DurableEffect } from './testSink.ts'

/** The simulated process that has opened a state. After its death, calls never settle. */
export interface StateProcess {
  /** Resolves like `work`, unless the process is dead by then. */
  alive<T>(work: Promise<T>): Promise<T>
  readonly durably: DurableEffect
}

/**
 * The contents of the states on a disk. A file in each directory names its contents, so that
 * directories can be moved and removed; changes of a state are durable steps of their own, not of
 * the disk.
 */
export class StateDirectories {
  readonly #contents = new Map<string, StoreContents>()

  /** Returns the contents of a directory, which is created if it does not exist. */
  async open(disk: Disk, directory: string): Promise<StoreContents> {
    const file = join(directory, 'contents')
    const known = (await disk.readFile(file))?.toString()
    if (known !== undefined) return this.#of(known)
    await makeDurableDirectory(disk, directory)
    const id = String(this.#contents.size)
    const contents = this.#of(id)
    await disk.writeFileAtomic(file, Buffer.from(id))
    return contents
  }

  #of(id: string): StoreContents {
    let contents = this.#contents.get(id)
    if (!contents) {
      contents = new Map()
      this.#contents.set(id, contents)
    }
    return contents
  }
}

/** `name` identifies the state in the list of durable steps. */
export function memoryState(
  contents: StoreContents,
  process: StateProcess,
  name: string,
): StateDatabase {
  return {
    ...reader(contents, process),
    write: (changes) => process.durably(`commit ${name}`, () => applyChanges(contents, changes)),
    snapshot: () => ({ ...reader(new Map(contents), process), close: async () => {} }),
    close: async () => {},
  }
}

/** A copy of the contents, for tests that inspect them. Writes are ignored. */
export function readOnlyState(contents: ReadonlyMap<string, string>): StateDatabase {
  const copy = new Map(contents)
  return {
    ...reader(copy, undefined),
    write: async () => {},
    snapshot: () => ({ ...reader(copy, undefined), close: async () => {} }),
    close: async () => {},
  }
}

function reader(contents: StoreContents, process: StateProcess | undefined): StateReader {
  const alive = <T>(value: T) => process?.alive(Promise.resolve(value)) ?? Promise.resolve(value)
  return {
    getMany: (keys) => alive(valuesOf(contents, keys)),
    async *entries(range, atOnce) {
      for (const group of entriesOf(contents, range, atOnce)) yield await alive(group)
    },
  }
}
