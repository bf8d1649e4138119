// The embedded coordination log: a key-value store with one owner, shared by the members of its
// process (worker threads through portLog.ts). One synced batch per append; a snapshot and the
// removal of the entries before it are one batch.
//
// LevelDB must not be written to after a failed write: a record that was written in part makes
// later ones unreadable, although they were acknowledged. The store is closed then, and reopened
// when it is next needed; reopening reads what the failed write has left and makes that durable.
// Therefore an append after a failed one compares with what the store really has.
//
// Operations run one at a time, in the order of the calls. Must never answer `conflict` for a
// sequence whose entry is not durable, nor deliver an entry that is not.

import { dirname } from 'node:path'
import { directoryProblem } from '../../runtime/disk/directoryProblem.ts'
import { DirectoryInUseError } from '../../runtime/disk/disk.ts'
import { isDiskFull, isSystemShortage } from '../../runtime/disk/shortage.ts'
import { isOperational } from '../../runtime/operational.ts'
import { type Random, randomUuid, uuidText } from '../../runtime/random.ts'
import {
  type KeyValueChange,
  type KeyValueStore,
  type OpenKeyValueStore,
  StoreInUseError,
} from '../../runtime/store/keyValueStore.ts'
import { systemErrorOf } from '../../runtime/store/levelError.ts'
import { openLevelStore } from '../../runtime/store/levelStore.ts'
import type { Clock, Timer } from '../../runtime/time/clock.ts'
import { CoordinationError } from '../coordinationError.ts'
import type {
  AppendOutcome,
  CoordinationLog,
  LogEntry,
  LogHistory,
  LogIdentity,
  LogListener,
  LogPosition,
  LogSnapshot,
} from './coordinationLog.ts'
import { EmbeddedSubscription } from './embeddedSubscription.ts'
import { beyondEnd, busyLog, closedLog, trimmedAway } from './logRefusals.ts'
import { MemberListeners } from './memberListeners.ts'
import { deleteEntry, putEntry, putIdentity, putSnapshot, StoredHistory } from './storedHistory.ts'

export interface LevelLogOptions {
  /** A directory of its own, inside the data directory. */
  readonly directory: string
  /** Frees space for a write that found none; resolves with false if there is none to free. */
  readonly makeRoom: () => Promise<boolean>
  /** For the id of a new log. */
  readonly random: Random
  readonly clock: Clock
}

/** Operations that wait for their turn; further ones are refused. */
const maxWaiting = 10_000
/** Time until the store is tried again after a failure, in ms. */
const retryMs = 1000

/** The owner of the log: opens it for the members of the process. */
export class LevelLog {
  readonly #options: LevelLogOptions
  readonly #open: OpenKeyValueStore
  /** Undefined from a failed write until the store is reopened. */
  #store: KeyValueStore | undefined
  #identity: LogIdentity | undefined
  #snapshotSequence = 0
  /** The last entry that is durable. */
  #lastSequence = 0
  readonly #members = new Set<LevelLogMember>()
  readonly #subscriptions = new Set<EmbeddedSubscription>()
  #isReachable = true
  /** The next attempt after a failure, if it was the last that happened. */
  #retry: Timer | undefined
  /** The operation that was called last; each begins when the one before has ended. */
  #lastOperation: Promise<void> = Promise.resolve()
  #waiting = 0
  #isClosed = false

  constructor(options: LevelLogOptions, open: OpenKeyValueStore) {
    this.#options = options
    this.#open = open
  }

  get memberCount(): number {
    return this.#members.size
  }

  open(member: string): CoordinationLog {
    const log = new LevelLogMember(this, member)
    this.#members.add(log)
    return log
  }

  /** Closes the store, after the operations in progress. Its members are refused from then on. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    await Promise.all([...this.#members].map((member) => member.close()))
    await this.#inTurn(async () => {
      this.#isClosed = true
      await this.#store?.close()
      this.#store = undefined
    })
    this.#retry?.cancel()
  }

  // What follows is for LevelLogMember.

  load(): Promise<LogHistory> {
    return this.#inTurn(async () => {
      const stored = this.#stored(await this.#usable())
      const history = await stored.history()
      if (history === undefined) throw stored.corrupt('the identity of the log is missing')
      return history
    })
  }

  append(sequence: number, bytes: Uint8Array): Promise<AppendOutcome> {
    // The caller may reuse its memory, and listeners keep theirs.
    const entry = { sequence, bytes: Buffer.from(bytes) }
    return this.#inTurn(async () => {
      await this.#usable()
      if (sequence <= this.#lastSequence) return 'conflict'
      if (sequence !== this.#lastSequence + 1) throw beyondEnd(sequence, this.#lastSequence)
      await this.#write([putEntry(entry)])
      this.#lastSequence = sequence
      this.#deliver([entry])
      return 'appended'
    })
  }

  read(sequence: number): Promise<readonly LogEntry[]> {
    return this.#inTurn(async () => {
      const store = await this.#usable()
      if (sequence < this.#snapshotSequence) {
        throw trimmedAway(sequence, this.#snapshotSequence + 1)
      }
      return await this.#stored(store).entriesAfter(sequence)
    })
  }

  writeSnapshot(snapshot: LogSnapshot): Promise<void> {
    return this.#inTurn(async () => {
      await this.#usable()
      if (snapshot.sequence <= this.#snapshotSequence) return
      if (snapshot.sequence > this.#lastSequence) {
        throw beyondEnd(snapshot.sequence + 1, this.#lastSequence)
      }
      const changes = putSnapshot(snapshot)
      for (let each = this.#snapshotSequence + 1; each <= snapshot.sequence; each++) {
        changes.push(deleteEntry(each))
      }
      await this.#write(changes)
      this.#snapshotSequence = snapshot.sequence
    })
  }

  subscribe(sequence: number, listener: LogListener): () => void {
    const subscription = new EmbeddedSubscription(sequence, listener)
    this.#subscriptions.add(subscription)
    if (!this.#isReachable) subscription.setReachable(false)
    this.#catchUp(subscription)
    return () => {
      subscription.isEnded = true
      this.#subscriptions.delete(subscription)
    }
  }

  claim(from: LevelLogMember, position: LogPosition): void {
    for (const member of this.#members) if (member !== from) member.hearClaim(position)
  }

  closed(member: LevelLogMember): void {
    this.#members.delete(member)
  }

  /** Opens the store, creates the log if there is none, and reads where it ends. */
  async start(): Promise<void> {
    await this.#inTurn(async () => void (await this.#usable()))
  }

  #inTurn<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(closedLog())
    if (this.#waiting >= maxWaiting) return Promise.reject(busyLog(maxWaiting))
    this.#waiting++
    const result = this.#lastOperation.then(operation)
    const ended = () => void this.#waiting--
    this.#lastOperation = result.then(ended, ended)
    return result.catch((error: unknown) => {
      throw this.#failureOf(error)
    })
  }

  /** The error for a member: its appends may be repeated when the store can be written again. */
  #failureOf(error: unknown): unknown {
    if (error instanceof CoordinationError || !isOperational(error)) return error
    return new CoordinationError(
      'COORDINATION_UNAVAILABLE',
      `the coordination log in ${this.#options.directory} failed (${error.message}): check the disk and ` +
        'its free space; changes are retried',
      error,
    )
  }

  async #write(changes: readonly KeyValueChange[]): Promise<void> {
    const store = this.#store!
    try {
      await store.write(changes)
    } catch (error) {
      const cause = systemErrorOf(error)
      this.#store = undefined
      this.#failed()
      // The write has failed already; what closing says adds nothing.
      await store.close().catch(() => {})
      if (isDiskFull(cause)) await this.#options.makeRoom()
      throw cause
    }
    this.#setReachable(true)
  }

  /** Returns the store; reopened after a failed write, with the entries that it has left. */
  async #usable(): Promise<KeyValueStore> {
    if (this.#store === undefined) {
      if (this.#isClosed) throw closedLog()
      this.#store = await this.#reopenWithRoom()
      this.#setReachable(true)
    }
    return this.#store
  }

  /** Opening a store rewrites its files, for which a full disk may have no space. */
  async #reopenWithRoom(): Promise<KeyValueStore> {
    try {
      return await this.#reopen()
    } catch (error) {
      if (!isDiskFull(error) || !(await this.#options.makeRoom())) throw error
      return await this.#reopen()
    }
  }

  async #reopen(): Promise<KeyValueStore> {
    const store = await this.#open(this.#options.directory)
    try {
      await this.#restore(store)
    } catch (error) {
      await store.close().catch(() => {})
      throw systemErrorOf(error)
    }
    return store
  }

  async #restore(store: KeyValueStore): Promise<void> {
    const stored = this.#stored(store)
    const { identity, snapshotSequence } = await stored.extent()
    const after = Math.max(this.#lastSequence, snapshotSequence)
    const left = await stored.entriesAfter(after)
    if (left.length > 0 && left[0]!.sequence !== after + 1) {
      throw stored.corrupt(`entry ${after + 1} is missing`)
    }
    if (identity === undefined) {
      if (left.length > 0 || this.#identity !== undefined) {
        throw stored.corrupt('the identity of the log is missing')
      }
      await this.#create(store)
    } else this.#identity = identity
    this.#snapshotSequence = snapshotSequence
    this.#lastSequence = after + left.length
    this.#deliver(left)
  }

  async #create(store: KeyValueStore): Promise<void> {
    const identity = { generation: 1, id: uuidText(randomUuid(this.#options.random)) }
    await store.write([putIdentity(identity)])
    this.#identity = identity
  }

  #stored(store: KeyValueStore): StoredHistory {
    return new StoredHistory(store, this.#options.directory)
  }

  /** Delivers entries that became durable; a subscription that is behind catches up by itself. */
  #deliver(entries: readonly LogEntry[]): void {
    for (const subscription of [...this.#subscriptions]) {
      subscription.deliver(entries)
      this.#catchUp(subscription)
    }
  }

  #catchUp(subscription: EmbeddedSubscription): void {
    if (!subscription.isBehind(this.#lastSequence) || subscription.isReading) return
    subscription.isReading = true
    this.#inTurn(async () => {
      const stored = this.#stored(await this.#usable())
      await subscription.catchUp(stored, this.#snapshotSequence)
      if (subscription.isBehind(this.#lastSequence)) throw stored.corrupt('entries are missing')
    }).then(
      () => {
        subscription.isReading = false
        this.#catchUp(subscription)
      },
      (error: unknown) => {
        subscription.isReading = false
        if (!isOperational(error)) throw error
        this.#failed()
      },
    )
  }

  /** A write or a read failed: tries again after a while, also if no member does. */
  #failed(): void {
    this.#setReachable(false)
    if (this.#isClosed) return
    this.#retry ??= this.#options.clock.setTimer(retryMs, () => {
      this.#retry = undefined
      this.#inTurn(() => this.#usable()).then(
        () => {
          this.#setReachable(true)
          this.#deliver([])
        },
        (error: unknown) => {
          if (!isOperational(error)) throw error
          this.#failed()
        },
      )
    })
  }

  #setReachable(isReachable: boolean): void {
    if (this.#isReachable === isReachable) return
    this.#isReachable = isReachable
    for (const subscription of [...this.#subscriptions]) subscription.setReachable(isReachable)
  }
}

/**
 * Opens or creates the log. Rejects with a DirectoryInUseError for the data directory if another
 * process has locked it.
 */
export async function openLevelLog(
  options: LevelLogOptions,
  open: OpenKeyValueStore = openLevelStore,
): Promise<LevelLog> {
  const log = new LevelLog(options, open)
  try {
    await log.start()
  } catch (error) {
    throw openingError(options.directory, error)
  }
  return log
}

const deniedCodes: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS'])

function openingError(directory: string, error: unknown): unknown {
  if (!isOperational(error)) return error
  const origin = originOf(error)
  if (origin instanceof CoordinationError) return origin
  if (origin instanceof StoreInUseError) return new DirectoryInUseError(dirname(directory), origin)
  // The system's error is what the directory gave, or stands behind what LevelDB gave.
  const failure = origin as Error & { code?: string; cause?: Error & { code?: string } }
  const denied = [failure, failure.cause].find((each) => deniedCodes.has(each?.code ?? ''))
  if (isSystemShortage(failure)) {
    return new CoordinationError(
      'COORDINATION_UNAVAILABLE',
      `${directory} cannot be opened (${failure.message}): free disk space, or raise the limit of ` +
        'open files, then restart',
      failure,
    )
  }
  if (denied) return directoryProblem('write to', dirname(directory), denied)
  return new CoordinationError(
    'COORDINATION_DAMAGED',
    `${directory} cannot be opened (${(failure.cause ?? failure).message}): check its permissions, or ` +
      'restore it from a backup',
    failure,
  )
}

/** What the store gave, behind the error for members. */
function originOf(error: Error): unknown {
  const isWrapped = error instanceof CoordinationError && error.code === 'COORDINATION_UNAVAILABLE'
  return isWrapped ? (error.cause ?? error) : error
}

/** The log as one member has opened it. */
class LevelLogMember implements CoordinationLog {
  /** Operations run one at a time: a read begins when the append before it has ended. */
  readonly appliesLate = false
  readonly member: string
  readonly #log: LevelLog
  readonly #listeners = new MemberListeners()
  #isClosed = false

  constructor(log: LevelLog, member: string) {
    this.#log = log
    this.member = member
  }

  get isShared(): boolean {
    return this.#log.memberCount > 1
  }

  async load(): Promise<LogHistory> {
    this.#mustBeOpen()
    return await this.#log.load()
  }

  async append(sequence: number, bytes: Uint8Array): Promise<AppendOutcome> {
    this.#mustBeOpen()
    return await this.#log.append(sequence, bytes)
  }

  subscribe(sequence: number, listener: LogListener): () => void {
    if (this.#isClosed) return () => {}
    return this.#listeners.subscribed(this.#log.subscribe(sequence, listener))
  }

  async read(sequence: number): Promise<readonly LogEntry[]> {
    this.#mustBeOpen()
    return await this.#log.read(sequence)
  }

  async writeSnapshot(snapshot: LogSnapshot): Promise<void> {
    this.#mustBeOpen()
    await this.#log.writeSnapshot(snapshot)
  }

  claim(position: LogPosition): void {
    if (!this.#isClosed) this.#log.claim(this, position)
  }

  onClaim(listener: (position: LogPosition) => void): () => void {
    return this.#listeners.onClaim(listener)
  }

  hearClaim(position: LogPosition): void {
    this.#listeners.claimed(position)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#listeners.close()
    this.#log.closed(this)
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw closedLog()
  }
}
