// The metadata log of a single node, in a key-value store of its own. Entries have the key `c` and
// their sequence, the snapshot has `s`, the sequence after it `n`; one synced batch replaces
// entries by a snapshot.
//
// LevelDB must not be written to after a write has failed: a record that was written in part makes
// the ones after it unreadable, though they were acknowledged. The store is closed then, and opened
// again when it is next needed; opening it reads what survived of the failed write and makes that
// durable.

import { dirname } from 'node:path'
import { assert } from '../../../protocol/runtime/assert.ts'
import { directoryProblem } from '../../../protocol/runtime/directoryProblem.ts'
import { DirectoryInUseError } from '../../../protocol/runtime/disk.ts'
import { BrokerError } from '../../errors.ts'
import { isOutOfSpace, isShortage } from '../../log/logError.ts'
import type { KeyValueOperation, KeyValueStore, OpenKeyValueStore } from './keyValueStore.ts'
import { openLevelStore } from './levelStore.ts'
import type { MetadataEntry, SnapshotEntry } from './metadataCommand.ts'
import type {
  AppendOutcome,
  EntryListener,
  MetadataHistory,
  MetadataLog,
  StoredEntry,
  StoredSnapshot,
} from './metadataLog.ts'
import { MetadataSubscriptions } from './metadataSubscriptions.ts'

const snapshotKey = 's'
/** Absent in logs from before sequences outlived a snapshot. */
const nextSequenceKey = 'n'
const entryKey = (sequence: number) => `c${String(sequence).padStart(16, '0')}`
const afterEntries = 'd'

export interface LevelMetadataLogOptions {
  /** A directory inside the data directory. */
  readonly directory: string
  /** Frees space for a write that found none; resolves with false when there is none to free. */
  readonly makeRoom: () => Promise<boolean>
}

class LevelMetadataLog implements MetadataLog {
  readonly #options: LevelMetadataLogOptions
  readonly #open: OpenKeyValueStore
  /** Undefined from a failed write until the store is opened again. */
  #store: KeyValueStore | undefined
  #firstSequence = 0
  #nextSequence = 0
  readonly #subscriptions = new MetadataSubscriptions()

  constructor(options: LevelMetadataLogOptions, open: OpenKeyValueStore, store: KeyValueStore) {
    this.#options = options
    this.#open = open
    this.#store = store
  }

  async load(): Promise<MetadataHistory> {
    const store = await this.#usable()
    const snapshot = await store.get(snapshotKey)
    const counted = Number((await store.get(nextSequenceKey)) ?? 0)
    const { first, entries } = await this.#entriesFrom(store, 0)
    this.#firstSequence = first ?? counted
    this.#nextSequence = this.#firstSequence + entries.length
    return {
      snapshot:
        snapshot === undefined ? undefined : this.#parse<StoredSnapshot>(snapshotKey, snapshot),
      entries,
      nextSequence: this.#nextSequence,
    }
  }

  async append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome> {
    // The lock of the store excludes other processes, so only an entry of this one can be in the
    // way.
    if (sequence < this.#nextSequence) return 'conflict'
    assert(sequence === this.#nextSequence, `entry ${sequence} follows entry ${sequence - 1}`)
    await this.#write([{ type: 'put', key: entryKey(sequence), value: JSON.stringify(entry) }])
    this.#nextSequence = sequence + 1
    this.#subscriptions.deliver(sequence, [entry])
    return 'appended'
  }

  subscribe(sequence: number, listener: EntryListener): () => void {
    return this.#subscriptions.add(sequence, listener)
  }

  async read(sequence: number): Promise<readonly StoredEntry[]> {
    const { first, entries } = await this.#entriesFrom(await this.#usable(), sequence)
    if (first === undefined) return []
    this.#nextSequence = first + entries.length
    this.#subscriptions.deliver(first, entries)
    return entries
  }

  async compact(sequence: number, snapshot: SnapshotEntry): Promise<void> {
    const operations: KeyValueOperation[] = [
      { type: 'put', key: snapshotKey, value: JSON.stringify(snapshot) },
      { type: 'put', key: nextSequenceKey, value: String(sequence) },
    ]
    for (let each = this.#firstSequence; each < sequence; each++) {
      operations.push({ type: 'del', key: entryKey(each) })
    }
    await this.#write(operations)
    this.#firstSequence = sequence
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }

  async #entriesFrom(
    store: KeyValueStore,
    sequence: number,
  ): Promise<{ first: number | undefined; entries: StoredEntry[] }> {
    const entries: StoredEntry[] = []
    let first: number | undefined
    for await (const [key, value] of store.range(entryKey(sequence), afterEntries)) {
      first ??= Number(key.slice(1))
      if (key !== entryKey(first + entries.length)) {
        throw this.#corrupt(`the entry ${entryKey(first + entries.length)} is missing`)
      }
      entries.push(this.#parse<StoredEntry>(key, value))
    }
    return { first, entries }
  }

  async #write(operations: readonly KeyValueOperation[]): Promise<void> {
    const store = await this.#usable()
    try {
      await store.write(operations)
    } catch (cause) {
      this.#store = undefined
      await store.close().catch(() => {})
      if (isOutOfSpace(cause)) await this.#options.makeRoom()
      throw cause
    }
  }

  async #usable(): Promise<KeyValueStore> {
    this.#store ??= await openWithRoom(this.#options, this.#open)
    return this.#store
  }

  #parse<T>(key: string, value: string): T {
    try {
      return JSON.parse(value) as T
    } catch (cause) {
      throw this.#corrupt(`the entry ${key} is damaged`, cause)
    }
  }

  #corrupt(problem: string, cause?: unknown): BrokerError {
    return new BrokerError(
      'METADATA_CORRUPT',
      `${this.#options.directory}: ${problem}; restore the folder from a backup`,
      cause,
    )
  }
}

/**
 * Opens or creates the log. Rejects with a DirectoryInUseError for the data directory when another
 * process has it.
 */
export async function openLevelMetadataLog(
  options: LevelMetadataLogOptions,
  open: OpenKeyValueStore = openLevelStore,
): Promise<MetadataLog> {
  try {
    return new LevelMetadataLog(options, open, await openWithRoom(options, open))
  } catch (error) {
    throw openingError(options.directory, error)
  }
}

/** Opening a store writes its files anew: on a full disk there is no space even for those. */
async function openWithRoom(
  { directory, makeRoom }: LevelMetadataLogOptions,
  open: OpenKeyValueStore,
): Promise<KeyValueStore> {
  try {
    return await open(directory)
  } catch (error) {
    if (!isOutOfSpace(error) || !(await makeRoom())) throw error
    return await open(directory)
  }
}

function openingError(directory: string, error: unknown): Error {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  if (cause?.code === 'LEVEL_LOCKED') {
    return new DirectoryInUseError(dirname(directory), error)
  }
  if (isShortage(error)) {
    return new BrokerError(
      'METADATA_UNAVAILABLE',
      `${directory} cannot be opened (${(error as Error).message}): free some room on the disk, or raise ` +
        'the limit of open files, and start again',
      error,
    )
  }
  if (['EACCES', 'EPERM', 'EROFS'].includes(cause?.code ?? '')) {
    return directoryProblem('write to', dirname(directory), cause) as Error
  }
  return new BrokerError(
    'METADATA_CORRUPT',
    `${directory} cannot be opened (${cause?.message ?? String(error)}): check its permissions, or restore it from a backup`,
    error,
  )
}
