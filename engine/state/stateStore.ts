// The state of one operator in one partition. Guarantees exactly-once: the changes of batch N are
// written in the same atomic step as the record that undoes them, so that a batch that is rerun,
// after a crash or by a retried task, starts from the state before it. It must never apply a batch
// twice.
//
// Each batch writes only what it changed: the database is an incremental snapshot of the newest
// batch, with undo records for the batches before. Opening reads one record, and a batch reads only
// the keys that it touches; only the bounded cache is kept in memory.

import { assert } from '../../protocol/runtime/assert.ts'
import { systemErrorOf } from '../../protocol/runtime/store/levelError.ts'
import type { TimeDomain } from './keyedState.ts'
import { openLevelStateDatabase } from './levelStateDatabase.ts'
import type { StateChange, StateDatabase } from './stateDatabase.ts'
import { damaged, StateError } from './stateError.ts'
import { allValues, keyOfValue, undoKey, versionKey } from './stateLayout.ts'
import { type StateChanges, StateTransaction } from './stateTransaction.ts'
import {
  encodeVersion,
  readVersion,
  type StateSize,
  type StateSizes,
  type StoredVersion,
} from './stateVersion.ts'
import { StateView } from './stateView.ts'
import { decodeUndo, encodeUndo } from './undo.ts'
import { type CachePart, ValueCache } from './valueCache.ts'
import { noVersion, type VersionHistory } from './versionHistory.ts'

export interface StateStoreOptions {
  /** Number of newest batches that can be undone; 2 by default and at least. */
  readonly keepUndo?: number
  /** Opens the underlying database; LevelDB by default. */
  readonly openDatabase?: (directory: string) => Promise<StateDatabase>
  /** Shared by several stores; a private one by default. */
  readonly cache?: ValueCache
}

const smallestKeepUndo = 2
/** Entries per read of a scan. */
const scanGroup = 1000

export class StateStore {
  readonly #directory: string
  readonly #database: StateDatabase
  readonly #keepUndo: number
  readonly #cache: CachePart
  #history: VersionHistory
  #sizes: StateSizes
  #transaction: StateTransaction | undefined
  /** Whether a commit or a rollback is in progress; the state is undefined until it ends. */
  #isChanging = false
  #failure: StateError | undefined
  /** Lower bound of the timers' times; lets a batch without due timers read nothing. */
  #firstTimerMs = unknownTimers()
  /** Scans, views, commits and rollbacks in progress; `close` waits for them. */
  readonly #uses = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  private constructor(
    directory: string,
    database: StateDatabase,
    { history, sizes }: StoredVersion,
    options: StateStoreOptions,
  ) {
    this.#directory = directory
    this.#database = database
    this.#history = history
    this.#sizes = sizes
    this.#keepUndo = options.keepUndo ?? smallestKeepUndo
    this.#cache = (options.cache ?? new ValueCache()).part()
  }

  /** Opens the state in `directory`, creating it if it does not exist. Throws a StateError. */
  static async open(directory: string, options: StateStoreOptions = {}): Promise<StateStore> {
    const { keepUndo = smallestKeepUndo, openDatabase = openLevelStateDatabase } = options
    assert(keepUndo >= smallestKeepUndo, `keepUndo must be at least ${smallestKeepUndo}`)
    const database = await openDatabase(directory)
    try {
      const stored = await readVersion(directory, database)
      return new StateStore(directory, database, stored, options)
    } catch (error) {
      await database.close()
      throw error
    }
  }

  /** The id of the newest batch that changed this state; -1 for none. */
  get version(): number {
    return this.#history.version
  }

  /** Size of the newest version; undefined when an earlier release wrote it. */
  get size(): StateSize | undefined {
    return this.#sizes.get(this.version)
  }

  /**
   * Begins batch `batchId` from the state before it. Batches that were committed from it on are
   * undone, and an open transaction is abandoned. Throws a StateError when the undo records do not
   * reach back that far.
   */
  async begin(batchId: number): Promise<StateTransaction> {
    this.#requireReady()
    this.#transaction?.abandon()
    this.#transaction = undefined
    const plan = this.#history.begin(batchId)
    if (plan.kind === 'unreachable') throw this.#unreachable(batchId, plan.oldestBatchId)
    if (plan.undo.length > 0) await this.#change(() => this.#rollBack(plan.undo))
    this.#transaction = new StateTransaction({
      batchId,
      isNew: this.version === noVersion,
      reader: this.#database,
      cache: this.#cache,
      firstTimerMs: this.#firstTimerMs,
      commit: (changes) => this.#change(() => this.#commit(batchId, changes)),
    })
    return this.#transaction
  }

  /** Pushes all keys and encoded values of the newest version, in database order. */
  async scan(each: (key: string, value: Uint8Array) => void): Promise<void> {
    this.#requireReady()
    await this.#using(async () => {
      for await (const group of this.#database.entries(allValues, scanGroup)) {
        for (const [key, value] of group) each(keyOfValue(key), value)
      }
    })
  }

  /**
   * Runs `read` on the state as of batch `batchId`, while other batches continue. Throws a
   * StateError when the undo records do not reach back that far.
   */
  async readAsOf<T>(batchId: number, read: (view: StateView) => Promise<T>): Promise<T> {
    if (this.#closing) throw this.#closed()
    return await this.#using(async () => {
      const snapshot = this.#database.snapshot()
      try {
        return await read(await StateView.open(this.#directory, snapshot, batchId))
      } finally {
        await snapshot.close()
      }
    })
  }

  /** Closes the database once all reads have ended. Uncommitted changes are dropped. */
  close(): Promise<void> {
    this.#transaction?.abandon()
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all(this.#uses)
    try {
      await this.#database.close()
    } finally {
      // Cleared last, because a committed transaction adds to the cache after its write.
      this.#cache.clear()
    }
  }

  async #using<T>(use: () => Promise<T>): Promise<T> {
    const over = Promise.withResolvers<void>()
    this.#uses.add(over.promise)
    try {
      return await use()
    } finally {
      this.#uses.delete(over.promise)
      over.resolve()
    }
  }

  async #rollBack(versions: readonly number[]): Promise<void> {
    const records = await this.#database.getMany(versions.map(undoKey))
    const restored = new Map<string, StateChange>()
    for (const [at, version] of versions.entries()) {
      const record = records[at]
      if (record === undefined)
        throw damaged(this.#directory, `the undo record of batch ${version} is missing`)
      for (const [key, before] of decodeUndo(this.#directory, record)) {
        const change: StateChange =
          before === null ? { type: 'del', key } : { type: 'put', key, value: before }
        restored.set(Buffer.from(key).toString('latin1'), change)
      }
    }
    const history = this.#history.rolledBack(versions)
    await this.#write([
      ...restored.values(),
      ...versions.map((version) => deletion(undoKey(version))),
      { type: 'put', key: versionKey, value: encodeVersion(history, this.#sizesOf(history)) },
    ])
    this.#history = history
    this.#sizes = this.#sizesOf(history)
    this.#firstTimerMs = unknownTimers()
    this.#cache.clear()
  }

  async #commit(batchId: number, changesOf: () => Promise<StateChanges>): Promise<void> {
    const { changes, before, firstTimerMs, growth } = await changesOf()
    // The first batch creates a version even if it is empty: initial states that it has removed
    // must not return with the next batch.
    if (changes.length > 0 || this.version === noVersion) {
      const { history, forget } = this.#history.committed(batchId, this.#keepUndo)
      const undo = encodeUndo(changes, before)
      const sizes = this.#sizesOf(history, growth)
      changes.push(
        { type: 'put', key: undoKey(batchId), value: undo },
        ...forget.map((version) => deletion(undoKey(version))),
        { type: 'put', key: versionKey, value: encodeVersion(history, sizes) },
      )
      await this.#write(changes)
      this.#history = history
      this.#sizes = sizes
    }
    this.#firstTimerMs = firstTimerMs
  }

  /**
   * Returns the sizes of the versions of `history`. `growth`: change of its newest version against
   * the current one.
   */
  #sizesOf(history: VersionHistory, growth?: StateSize): StateSizes {
    const reached = [history.version, ...history.links.map(({ previous }) => previous)]
    const sizes = new Map<number, StateSize>()
    for (const version of reached) {
      const size = this.#sizes.get(version)
      if (size !== undefined) sizes.set(version, size)
    }
    const { size } = this
    if (growth === undefined || size === undefined) return sizes
    const { rows, bytes } = size
    return sizes.set(history.version, {
      rows: rows + growth.rows,
      bytes: bytes + growth.bytes,
    })
  }

  async #change(change: () => Promise<void>): Promise<void> {
    this.#requireReady()
    this.#isChanging = true
    try {
      await this.#using(change)
    } finally {
      this.#isChanging = false
    }
  }

  /** After a failed write the content of the disk is unknown, so the store refuses further use. */
  async #write(changes: readonly StateChange[]): Promise<void> {
    try {
      await this.#database.write(changes)
    } catch (cause) {
      const reason = (systemErrorOf(cause) as Error).message
      const message = `cannot write the state in ${this.#directory}: ${reason}`
      this.#failure = new StateError('STATE_FAILED', message, cause)
      throw this.#failure
    }
  }

  #requireReady(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#closing) throw this.#closed()
    assert(!this.#isChanging, 'a state must be used by one task at a time')
  }

  #closed(): StateError {
    return new StateError('STATE_CLOSED', `the state in ${this.#directory} is closed`)
  }

  #unreachable(batchId: number, oldestBatchId: number): StateError {
    return new StateError(
      'STATE_UNREACHABLE',
      `the state in ${this.#directory} is at batch ${this.version} and can be rolled back to the start of ` +
        `batch ${oldestBatchId} at most, but batch ${batchId} is to run: state and checkpoint belong to ` +
        'different runs; restore matching copies, or remove both to start over',
    )
  }
}

function unknownTimers(): Record<TimeDomain, number> {
  return { event: Number.NEGATIVE_INFINITY, processing: Number.NEGATIVE_INFINITY }
}

function deletion(key: Uint8Array): StateChange {
  return { type: 'del', key }
}
