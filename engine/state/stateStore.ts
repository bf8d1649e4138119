// The state of one operator in one partition, exactly once: what batch N changes is written in the same
// atomic step as what undoes it, so that a batch that runs again, after a crash or because its task is
// retried, starts from the state before it, and never counts twice.
//
// Each batch writes what it changed and nothing else: the database is an incremental snapshot of the newest
// batch, and the undos are those of the batches before. Opening reads one record, a batch reads the keys
// that it touches; the only part of a state in memory is the bounded cache.

import { assert } from '../../protocol/runtime/assert.ts'
import { systemErrorOf } from '../../protocol/runtime/levelError.ts'
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
  /** How many of the newest batches can be undone; at least, and by default, 2. */
  readonly keepUndo?: number
  /** Opens what is under the store; LevelDB by default. */
  readonly openDatabase?: (directory: string) => Promise<StateDatabase>
  /** Shared by several stores; one of its own by default. */
  readonly cache?: ValueCache
}

const smallestKeepUndo = 2
/** Entries read at once by a scan. */
const scanGroup = 1000

export class StateStore {
  readonly #directory: string
  readonly #database: StateDatabase
  readonly #keepUndo: number
  readonly #cache: CachePart
  #history: VersionHistory
  #sizes: StateSizes
  #transaction: StateTransaction | undefined
  /** A commit or a roll-back is under way: what the state is will be known when it ends. */
  #isChanging = false
  #failure: StateError | undefined
  /** No timer is before; kept so that a batch with no timer due reads nothing. */
  #firstTimerMs = unknownTimers()
  /** Scans, views, commits and roll-backs that are under way; `close` waits for them. */
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

  /** Opens the state in `directory`, empty when there is none. Throws a StateError. */
  static async open(directory: string, options: StateStoreOptions = {}): Promise<StateStore> {
    const { keepUndo = smallestKeepUndo, openDatabase = openLevelStateDatabase } = options
    assert(keepUndo >= smallestKeepUndo, `at least ${smallestKeepUndo} batches can be undone`)
    const database = await openDatabase(directory)
    try {
      const stored = await readVersion(directory, database)
      return new StateStore(directory, database, stored, options)
    } catch (error) {
      await database.close()
      throw error
    }
  }

  /** The id of the newest batch that changed this state; -1 when there is none. */
  get version(): number {
    return this.#history.version
  }

  /** Of the newest version; undefined when an earlier release has written it. */
  get size(): StateSize | undefined {
    return this.#sizes.get(this.version)
  }

  /**
   * Starts batch `batchId` from the state before it, whichever batches have been committed since: they are
   * undone. A transaction that is still open is abandoned. Throws a StateError when the batches to undo
   * are more than are kept.
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

  /** Pushes the keys and encoded values of the newest version, in the order of the database. */
  async scan(each: (key: string, value: Uint8Array) => void): Promise<void> {
    this.#requireReady()
    await this.#using(async () => {
      for await (const group of this.#database.entries(allValues, scanGroup)) {
        for (const [key, value] of group) each(keyOfValue(key), value)
      }
    })
  }

  /**
   * Runs `read` on the state as it was after batch `batchId`, while other batches go on. Throws a
   * StateError when that is further back than is kept.
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

  /** Closes the database once nobody reads from it. What was not committed is gone. */
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
      // Last of all: a transaction that was just committed adds to the cache after its write.
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
      if (record === undefined) throw damaged(this.#directory, `no undo of batch ${version}`)
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
    // The first batch makes a version even when it leaves nothing: initial states that it has removed must not
    // come back with the next one.
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

  /** Sizes of the versions of `history`; its newest one is larger by `growth` than the newest one until now. */
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

  /** After a failed write nobody knows what the disk holds: the store is of no more use then. */
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
    assert(!this.#isChanging, 'a state is used by one task at a time')
  }

  #closed(): StateError {
    return new StateError('STATE_CLOSED', `the state in ${this.#directory} was closed`)
  }

  #unreachable(batchId: number, oldestBatchId: number): StateError {
    return new StateError(
      'STATE_UNREACHABLE',
      `the state in ${this.#directory} is that of batch ${this.version} and goes back to the start of ` +
        `batch ${oldestBatchId} at most, but batch ${batchId} is to run: state and checkpoint are ` +
        'not of the same run; remove both to start over, or put back the right ones',
    )
  }
}

function unknownTimers(): Record<TimeDomain, number> {
  return { event: Number.NEGATIVE_INFINITY, processing: Number.NEGATIVE_INFINITY }
}

function deletion(key: Uint8Array): StateChange {
  return { type: 'del', key }
}
