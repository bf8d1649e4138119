// The metadata log of a single node, in a key-value store of its own. Entries have the key `c` and
// their sequence, the snapshot `s`, the sequence after the snapshot `n`; one synced batch replaces
// entries by a snapshot.
//
// LevelDB must not be written to after a failed write: a record that was written in part makes
// later ones unreadable, although they were acknowledged. The store is closed then, and reopened
// when it is next needed; reopening reads what the failed write has left and makes that durable.

import { dirname } from 'node:path'
import { assert } from '../../../protocol/runtime/assert.ts'
import { directoryProblem } from '../../../protocol/runtime/disk/directoryProblem.ts'
import { DirectoryInUseError } from '../../../protocol/runtime/disk/disk.ts'
import {
  type KeyValueChange,
  type KeyValueStore,
  type OpenKeyValueStore,
  StoreInUseError,
} from '../../../protocol/runtime/store/keyValueStore.ts'
import { systemErrorOf } from '../../../protocol/runtime/store/levelError.ts'
import { openLevelStore } from '../../../protocol/runtime/store/levelStore.ts'
import { BrokerError } from '../../errors.ts'
import { isOutOfSpace, isShortage } from '../../log/logError.ts'
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

const snapshotKey = Buffer.from('s')
/** Does not exist in logs from before sequences outlived a snapshot. */
const nextSequenceKey = Buffer.from('n')
const afterEntries = Buffer.from('d')
/** Number of entries that a start reads together and parses one after another. */
const entriesAtOnce = 1000

export interface LevelMetadataLogOptions {
  /** A directory inside the data directory. */
  readonly directory: string
  /** Frees space for a write that found none; resolves with false if there is none to free. */
  readonly makeRoom: () => Promise<boolean>
}

class LevelMetadataLog implements MetadataLog {
  readonly #options: LevelMetadataLogOptions
  readonly #open: OpenKeyValueStore
  /** Undefined from a failed write until the store is reopened. */
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
    const [snapshot, next] = await store.getMany([snapshotKey, nextSequenceKey])
    const counted = next ? Number(textOf(next)) : 0
    const { first, entries } = await this.#entriesFrom(store, 0)
    this.#firstSequence = first ?? counted
    this.#nextSequence = this.#firstSequence + entries.length
    return {
      snapshot:
        snapshot === undefined
          ? undefined
          : this.#parse<StoredSnapshot>(textOf(snapshotKey), snapshot),
      entries,
      nextSequence: this.#nextSequence,
    }
  }

  async append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome> {
    // The lock of the store excludes other processes, so a conflicting entry is one of this
    // process.
    if (sequence < this.#nextSequence) return 'conflict'
    assert(sequence === this.#nextSequence, `entry ${sequence} follows entry ${sequence - 1}`)
    await this.#write([put(Buffer.from(entryKey(sequence)), JSON.stringify(entry))])
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
    const changes = [
      put(snapshotKey, JSON.stringify(snapshot)),
      put(nextSequenceKey, String(sequence)),
    ]
    for (let each = this.#firstSequence; each < sequence; each++) {
      changes.push({ type: 'del', key: Buffer.from(entryKey(each)) })
    }
    await this.#write(changes)
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
    const range = { from: Buffer.from(entryKey(sequence)), until: afterEntries }
    for await (const group of store.entries(range, entriesAtOnce)) {
      for (const [bytes, value] of group) {
        const key = textOf(bytes)
        first ??= Number(key.slice(1))
        const expected = entryKey(first + entries.length)
        if (key !== expected) throw this.#corrupt(`entry ${expected} is missing`)
        entries.push(this.#parse<StoredEntry>(key, value))
      }
    }
    return { first, entries }
  }

  async #write(changes: readonly KeyValueChange[]): Promise<void> {
    const store = await this.#usable()
    try {
      await store.write(changes)
    } catch (error) {
      const cause = systemErrorOf(error)
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

  #parse<T>(key: string, value: Uint8Array): T {
    try {
      return JSON.parse(textOf(value)) as T
    } catch (cause) {
      throw this.#corrupt(`entry ${key} is damaged`, cause)
    }
  }

  #corrupt(problem: string, cause?: unknown): BrokerError {
    return new BrokerError(
      'METADATA_CORRUPT',
      `${this.#options.directory}: ${problem}; restore the directory from a backup`,
      cause,
    )
  }
}

/**
 * Opens or creates the log. Rejects with a DirectoryInUseError for the data directory if another
 * process has locked it.
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

/** Opening a store rewrites its files, for which a full disk may have no space. */
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

const deniedCodes: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS'])

function openingError(directory: string, error: unknown): Error {
  if (error instanceof StoreInUseError) return new DirectoryInUseError(dirname(directory), error)
  // The system's error is what the directory gave, or stands behind what LevelDB gave.
  const failure = error as {
    code?: string
    message: string
    cause?: { code?: string; message: string }
  }
  const denied = [failure, failure.cause].find((each) => deniedCodes.has(each?.code ?? ''))
  if (isShortage(error)) {
    return new BrokerError(
      'METADATA_UNAVAILABLE',
      `${directory} cannot be opened (${(error as Error).message}): free disk space, or raise ` +
        'the limit of open files, then restart the broker',
      error,
    )
  }
  if (denied) return directoryProblem('write to', dirname(directory), denied) as Error
  return new BrokerError(
    'METADATA_CORRUPT',
    `${directory} cannot be opened (${(failure.cause ?? failure).message}): check its permissions, or restore it from a backup`,
    error,
  )
}

function entryKey(sequence: number): string {
  return `c${String(sequence).padStart(16, '0')}`
}

function put(key: Uint8Array, text: string): KeyValueChange {
  return { type: 'put', key, value: Buffer.from(text) }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
