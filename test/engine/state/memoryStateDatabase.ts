// A StateDatabase in memory whose contents outlive the database, as a directory outlives a process,
// and which can crash before or after a write.

import type {
  DatabaseEntry,
  KeyRange,
  StateChange,
  StateDatabase,
  StateSnapshot,
} from '../../../engine/state/stateDatabase.ts'

/** Outcome of the next write: success, or a power failure before or after the write is durable. */
export type NextWrite = 'succeeds' | 'is lost' | 'is kept but not acknowledged'

export class MemoryStateDatabase implements StateDatabase {
  /**
   * Values by key, both as latin1 texts. Databases that open the same directory one after another
   * share the map.
   */
  readonly contents: Map<string, string>
  nextWrite: NextWrite = 'succeeds'
  writes = 0
  /** Number of entries and keys that were read. */
  reads = 0

  constructor(contents: Map<string, string>) {
    this.contents = contents
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.reads += keys.length
    return valuesIn(this.contents, keys)
  }

  async *entries(range: KeyRange, atOnce: number) {
    for (const group of groupsIn(new Map(this.contents), range, atOnce)) {
      this.reads += group.length
      yield group
    }
  }

  async write(changes: readonly StateChange[]): Promise<void> {
    this.writes++
    if (this.nextWrite === 'is lost') throw new Error('power failure')
    for (const change of changes) {
      if (change.type === 'put') this.contents.set(textOf(change.key), textOf(change.value))
      else this.contents.delete(textOf(change.key))
    }
    if (this.nextWrite !== 'succeeds') throw new Error('power failure')
  }

  snapshot(): StateSnapshot {
    const contents = new Map(this.contents)
    return {
      getMany: async (keys) => valuesIn(contents, keys),
      async *entries(range, atOnce) {
        yield* groupsIn(contents, range, atOnce)
      },
      close: async () => {},
    }
  }

  async close(): Promise<void> {}
}

function valuesIn(contents: ReadonlyMap<string, string>, keys: readonly Uint8Array[]) {
  return keys.map((key) => {
    const value = contents.get(textOf(key))
    return value === undefined ? undefined : Buffer.from(value, 'latin1')
  })
}

function* groupsIn(
  contents: ReadonlyMap<string, string>,
  { from, until }: KeyRange,
  atOnce: number,
) {
  const keys = [...contents.keys()]
    .filter((key) => textOf(from) <= key && key < textOf(until))
    .sort()
  for (let at = 0; at < keys.length; at += atOnce) {
    yield keys.slice(at, at + atOnce).map((key): DatabaseEntry => {
      return [Buffer.from(key, 'latin1'), Buffer.from(contents.get(key)!, 'latin1')]
    })
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
