// A state database in memory, whose contents outlive the process that opened it. Keys and values
// are latin1 strings in a map: string order is byte order.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { makeDurableDirectory } from '../checkpoint/entryLog.ts'
import type {
  DatabaseEntry,
  KeyRange,
  StateChange,
  StateDatabase,
  StateReader,
} from '../state/stateDatabase.ts'
import type { DurableEffect } from './testSink.ts'

export type StateContents = Map<string, string>

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
  readonly #contents = new Map<string, StateContents>()

  /** Returns the contents of a directory, which is created if it does not exist. */
  async open(disk: Disk, directory: string): Promise<StateContents> {
    const file = join(directory, 'contents')
    const known = (await disk.readFile(file))?.toString()
    if (known !== undefined) return this.#of(known)
    await makeDurableDirectory(disk, directory)
    const id = String(this.#contents.size)
    const contents = this.#of(id)
    await disk.writeFileAtomic(file, Buffer.from(id))
    return contents
  }

  #of(id: string): StateContents {
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
  contents: StateContents,
  process: StateProcess,
  name: string,
): StateDatabase {
  return {
    ...reader(contents, process),
    write: (changes) => process.durably(`commit ${name}`, () => apply(contents, changes)),
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

function reader(contents: StateContents, process: StateProcess | undefined): StateReader {
  const alive = <T>(value: T) => process?.alive(Promise.resolve(value)) ?? Promise.resolve(value)
  return {
    getMany: (keys) => alive(keys.map((key) => bytesOf(contents.get(textOf(key))))),
    async *entries(range, atOnce) {
      for (const group of groupsIn(new Map(contents), range, atOnce)) yield await alive(group)
    },
  }
}

function* groupsIn(contents: StateContents, { from, until }: KeyRange, atOnce: number) {
  const first = textOf(from)
  const end = textOf(until)
  const keys = [...contents.keys()].filter((key) => first <= key && key < end).sort()
  for (let at = 0; at < keys.length; at += atOnce) {
    yield keys.slice(at, at + atOnce).map((key): DatabaseEntry => {
      return [Buffer.from(key, 'latin1'), Buffer.from(contents.get(key)!, 'latin1')]
    })
  }
}

function apply(contents: StateContents, changes: readonly StateChange[]): void {
  for (const change of changes) {
    if (change.type === 'put') contents.set(textOf(change.key), textOf(change.value))
    else contents.delete(textOf(change.key))
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function bytesOf(text: string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text, 'latin1')
}
