// StateDatabase on LevelDB, whose write batches are atomic and whose directory is locked by one
// process.

import { Level } from 'level'
import { systemErrorOf } from '../../protocol/runtime/levelError.ts'
import { nodeDisk } from '../../protocol/runtime/nodeDisk.ts'
import type {
  DatabaseEntry,
  KeyRange,
  StateChange,
  StateDatabase,
  StateSnapshot,
} from './stateDatabase.ts'
import { StateError } from './stateError.ts'

type Database = Level<Uint8Array, Uint8Array>
type Snapshot = ReturnType<Database['snapshot']>

/** Maximum bytes in one group of entries. */
const mostBytesAtOnce = 256 * 1024
const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const

/** Creates the database if it does not exist. */
export async function openLevelStateDatabase(directory: string): Promise<StateDatabase> {
  const level: Database = new Level(directory, encodings)
  try {
    // LevelDB creates the directory without syncing its parents: after a power failure, the state
    // of a committed batch could be missing.
    await nodeDisk.makeDirectory(directory)
    await level.open()
  } catch (error) {
    throw openingError(directory, error)
  }
  return new LevelStateDatabase(directory, level)
}

class LevelStateDatabase implements StateDatabase {
  readonly #directory: string
  readonly #level: Database

  constructor(directory: string, level: Database) {
    this.#directory = directory
    this.#level = level
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#read(() => this.#level.getMany(keys as Uint8Array[]))
  }

  entries(range: KeyRange, atOnce: number): AsyncIterable<readonly DatabaseEntry[]> {
    return this.#entries(range, atOnce)
  }

  async write(changes: readonly StateChange[]): Promise<void> {
    // A chained batch passes each change to LevelDB directly; an array would be copied twice.
    const batch = this.#level.batch()
    for (const change of changes) {
      if (change.type === 'put') batch.put(change.key, change.value)
      else batch.del(change.key)
    }
    // Synced, because the commit log will mark the batch as done.
    await batch.write({ sync: true })
  }

  snapshot(): StateSnapshot {
    const level = this.#level
    const snapshot = level.snapshot()
    return {
      getMany: (keys) =>
        this.#read(() => level.getMany(keys as Uint8Array[], { ...encodings, snapshot })),
      entries: (range, atOnce) => this.#entries(range, atOnce, snapshot),
      close: () => snapshot.close(),
    }
  }

  close(): Promise<void> {
    return this.#level.close()
  }

  async *#entries(
    { from, until }: KeyRange,
    atOnce: number,
    snapshot?: Snapshot,
  ): AsyncGenerator<readonly DatabaseEntry[], void> {
    const range = { gte: from, lt: until, highWaterMarkBytes: mostBytesAtOnce }
    const iterator = this.#level.iterator({ ...range, ...(snapshot && { snapshot }) })
    try {
      for (;;) {
        const entries = await this.#read(() => iterator.nextv(atOnce))
        if (entries.length === 0) return
        yield entries
      }
    } finally {
      await iterator.close()
    }
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      const reason = (systemErrorOf(error) as Error).message
      const message = `cannot read the state in ${this.#directory}: ${reason}`
      throw new StateError('STATE_FAILED', message, error)
    }
  }
}

function openingError(directory: string, error: unknown): StateError {
  const cause = (error as { cause?: unknown }).cause ?? error
  if ((cause as { code?: string }).code === 'LEVEL_LOCKED') {
    const message = `the state in ${directory} is in use; stop the job that has it open first`
    return new StateError('STATE_IN_USE', message, error)
  }
  const reason = (cause as Error).message
  return new StateError('STATE_DAMAGED', `cannot open the state in ${directory}: ${reason}`, error)
}
