// The copy of a shared log that each process keeps on its own disk: the newest snapshot that it has
// folded or written, and the entries since. With it, the loss of entries is noticed after a restart
// too, and a damaged log can be repaired from the copy of a chosen process.
//
// Written behind the fold, which never waits for it: without sync, so that a power failure leaves a
// prefix. The queue is bounded. After a failed write, an overflow of the queue or a gap, the copy
// is replaced by a snapshot of the fold, in one batch. A problem is reported when it begins and
// when it ends. Must never have an entry whose predecessor it does not have.

import { isOperational } from '../../runtime/operational.ts'
import type {
  KeyValueChange,
  KeyValueStore,
  OpenKeyValueStore,
} from '../../runtime/store/keyValueStore.ts'
import { systemErrorOf } from '../../runtime/store/levelError.ts'
import { openLevelStore } from '../../runtime/store/levelStore.ts'
import type { Clock, Timer } from '../../runtime/time/clock.ts'
import type { LogEntry, LogHistory, LogIdentity, LogSnapshot } from './coordinationLog.ts'
import { deleteEntry, putEntry, putIdentity, putSnapshot, StoredHistory } from './storedHistory.ts'

/** The fold's state as a snapshot; undefined before the first entry. */
export interface FoldedState {
  readonly identity: LogIdentity
  readonly snapshot: LogSnapshot | undefined
}

export interface LocalCopyOptions {
  readonly directory: string
  readonly clock: Clock
  /** Returns the state of the fold, which has every entry given to `entry`. */
  readonly folded: () => FoldedState
  /** Reports that the copy cannot be written, once; undefined when it can be again. */
  readonly onProblem: (problem: Error | undefined) => void
}

/** Bytes that wait to be written. */
const maxWaitingBytes = 16 * 1024 * 1024
const maxWaitingChanges = 100_000
/** Time after a failure until the copy is written again, in ms. */
const retryMs = 10_000

export class LocalCopy {
  readonly #options: LocalCopyOptions
  readonly #open: OpenKeyValueStore
  #store: KeyValueStore | undefined
  #identity: LogIdentity | undefined
  /** What the copy has when everything that waits is written. */
  #snapshotSequence = 0
  #lastSequence = 0
  #waiting: KeyValueChange[] = []
  #waitingBytes = 0
  /** Whether the copy is to be replaced by the state of the fold. */
  #isStale = false
  #writing: Promise<void> | undefined
  #retry: Timer | undefined
  #hasProblem = false
  #isClosed = false

  constructor(options: LocalCopyOptions, open: OpenKeyValueStore = openLevelStore) {
    this.#options = options
    this.#open = open
  }

  /**
   * Returns what the process has kept earlier; undefined if that is nothing, or cannot be read,
   * which is reported. To be called before `begin`.
   */
  async load(): Promise<LogHistory | undefined> {
    try {
      const store = await this.#usable()
      const history = await new StoredHistory(store, this.#options.directory).history()
      this.#identity = history?.identity
      this.#snapshotSequence = history?.snapshot?.sequence ?? 0
      this.#lastSequence = history?.lastSequence ?? 0
      return history
    } catch (error) {
      if (!isOperational(error)) throw error
      this.#report(error)
      return undefined
    }
  }

  /**
   * Begins to follow the log, which the fold has as it was loaded. The copy is continued if it is
   * about the same log and reaches it, and replaced otherwise: compare both before (copyProblem).
   */
  begin(history: LogHistory): void {
    const { identity, snapshot, entries, lastSequence } = history
    const isSame = this.#identity?.id === identity.id
    const reaches = this.#lastSequence >= (snapshot?.sequence ?? 0)
    this.#identity = identity
    if (isSame && reaches && this.#lastSequence <= lastSequence) {
      if (snapshot !== undefined) this.snapshot(snapshot)
      for (const entry of entries) this.entry(entry)
    } else this.#replace()
  }

  /** Keeps an entry that was folded. Its bytes must not change. */
  entry(entry: LogEntry): void {
    if (this.#isStale || entry.sequence <= this.#lastSequence) return
    if (entry.sequence === this.#lastSequence + 1) {
      this.#lastSequence = entry.sequence
      this.#wait([putEntry(entry)], entry.bytes.length)
    } else this.#replace()
  }

  /** Keeps a snapshot, also one of an entry that was not given, and the entries after it. */
  snapshot(snapshot: LogSnapshot): void {
    if (this.#isStale || snapshot.sequence <= this.#snapshotSequence) return
    const changes = putSnapshot(snapshot)
    const until = Math.min(snapshot.sequence, this.#lastSequence)
    for (let each = this.#snapshotSequence + 1; each <= until; each++) {
      changes.push(deleteEntry(each))
    }
    this.#snapshotSequence = snapshot.sequence
    this.#lastSequence = Math.max(this.#lastSequence, snapshot.sequence)
    this.#wait(changes, snapshot.bytes.length)
  }

  /** Writes what waits, unless the copy cannot be written, and closes the store. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#retry?.cancel()
    await this.#writing
    await this.#store?.close()
    this.#store = undefined
  }

  #wait(changes: readonly KeyValueChange[], bytes: number): void {
    this.#waiting.push(...changes)
    this.#waitingBytes += bytes
    const isFull = this.#waitingBytes > maxWaitingBytes || this.#waiting.length > maxWaitingChanges
    if (isFull) this.#replace()
    else this.#wake()
  }

  #replace(): void {
    this.#isStale = true
    this.#waiting = []
    this.#waitingBytes = 0
    this.#wake()
  }

  #wake(): void {
    if (this.#writing !== undefined || this.#retry !== undefined || this.#isClosed) return
    if (!this.#isStale && this.#waiting.length === 0) return
    this.#writing = this.#write()
  }

  async #write(): Promise<void> {
    try {
      while (this.#isStale || this.#waiting.length > 0) {
        const store = await this.#usable()
        const changes = this.#isStale ? await this.#replacement(store) : this.#takeWaiting()
        await store.write(changes, { sync: false })
        this.#report(undefined)
      }
    } catch (error) {
      await this.#failed(systemErrorOf(error))
    } finally {
      this.#writing = undefined
    }
  }

  #takeWaiting(): KeyValueChange[] {
    const changes = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    return changes
  }

  /** Entries that arrive while the store is read are in the state of the fold. */
  async #replacement(store: KeyValueStore): Promise<KeyValueChange[]> {
    const changes = await new StoredHistory(store, this.#options.directory).removal()
    const { identity, snapshot } = this.#options.folded()
    this.#isStale = false
    this.#identity = identity
    this.#snapshotSequence = snapshot?.sequence ?? 0
    this.#lastSequence = this.#snapshotSequence
    changes.push(putIdentity(identity))
    if (snapshot !== undefined) changes.push(...putSnapshot(snapshot))
    return changes
  }

  async #failed(error: unknown): Promise<void> {
    if (!isOperational(error)) throw error
    this.#isStale = true
    this.#takeWaiting()
    const store = this.#store
    this.#store = undefined
    // LevelDB must not be written to after a failed write; that one is reported already.
    await store?.close().catch(() => {})
    this.#report(error)
    if (this.#isClosed) return
    this.#retry = this.#options.clock.setTimer(retryMs, () => {
      this.#retry = undefined
      this.#wake()
    })
  }

  async #usable(): Promise<KeyValueStore> {
    this.#store ??= await this.#open(this.#options.directory)
    return this.#store
  }

  #report(problem: Error | undefined): void {
    if (this.#hasProblem === (problem !== undefined)) return
    this.#hasProblem = problem !== undefined
    this.#options.onProblem(problem)
  }
}

/**
 * Compares the copy of a process with the log that it has loaded after a restart. Returns what is
 * wrong with the log, for the message of an error.
 */
export function copyProblem(copy: LogHistory, log: LogHistory): string | undefined {
  if (copy.identity.id !== log.identity.id) {
    if (copy.identity.generation < log.identity.generation) return undefined
    return `the log ${log.identity.id} is another one than ${copy.identity.id}, which this process has followed`
  }
  if (copy.lastSequence > log.lastSequence) {
    return `the log ends at ${log.lastSequence}, but this process has entry ${copy.lastSequence} of it`
  }
  const own = new Map(copy.entries.map(({ sequence, bytes }) => [sequence, bytes]))
  const forked = log.entries.find(({ sequence, bytes }) => {
    const kept = own.get(sequence)
    return kept !== undefined && !Buffer.from(kept).equals(bytes)
  })
  return forked && `entry ${forked.sequence} is another one than this process has kept`
}

/**
 * Reads a copy, or an embedded log, for a repair; undefined if the directory has none. Creates the
 * directory if it does not exist.
 */
export async function readLocalCopy(
  directory: string,
  open: OpenKeyValueStore = openLevelStore,
): Promise<LogHistory | undefined> {
  const store = await open(directory)
  try {
    return await new StoredHistory(store, directory).history()
  } finally {
    await store.close()
  }
}
