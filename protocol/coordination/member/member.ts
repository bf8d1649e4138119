// One member of coordination: follows the log, folds it into the tree, and proposes. Everything
// that a member knows is in the log, so all members have the same tree at the same entry.
//
// What is delivered is checked: each entry carries the digest of its predecessor (log/chain.ts),
// and the positions that other members claim are compared with this member's. A log that forked,
// lost entries or was created anew makes the member refuse all changes and keep its tree; it
// continues to claim its position, so that the others notice too.
//
// Must never answer a request before its entry is folded, fold an entry twice or with a gap, or
// guess the outcome of an append (proposer.ts).

import { AssertionError, assert } from '../../runtime/assert.ts'
import { type Random, randomUuid, uuidText } from '../../runtime/random.ts'
import type { RarePoints } from '../../runtime/rarePoints.ts'
import type { Scheduler } from '../../runtime/scheduling/scheduler.ts'
import type { Clock, Timer } from '../../runtime/time/clock.ts'
import type { Logger } from '../../telemetry/logging/logger.ts'
import type {
  Coordination,
  CoordinationFigures,
  CoordinationStatus,
  Session,
  SessionOptions,
  TreeReader,
  WatchListener,
  WatchMode,
} from '../coordination.ts'
import { CoordinationError, TransactionError } from '../coordinationError.ts'
import type {
  CoordinationLog,
  LogEntry,
  LogIdentity,
  LogPosition,
  LogSnapshot,
} from '../log/coordinationLog.ts'
import type { FoldedState, LocalCopy } from '../log/localCopy.ts'
import type { CoordinationState } from '../tree/coordinationState.ts'
import type { Operation, OperationResult, TransactionOutcome } from '../tree/operation.ts'
import type { Request } from '../tree/proposal.ts'
import { isHeartbeatDue } from './heartbeat.ts'
import { MemberSession } from './memberSession.ts'
import { type CopyOptions, openCopy, startOf } from './memberStart.ts'
import { closed, damaged } from './problems.ts'
import { Proposer } from './proposer.ts'
import type { FoldedEntry, Replica } from './replica.ts'
import { sizeOf, sizeProblem } from './requestSize.ts'
import { StepEstimate } from './stepEstimate.ts'

export interface MemberOptions {
  readonly log: CoordinationLog
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly logger: Logger
  /** Who this is, for messages of other members: "broker 1 at host-a". */
  readonly name: string
  readonly copy?: CopyOptions | undefined
  /** Time after which a caller is answered that the log is unavailable, in ms. */
  readonly requestTimeoutMs?: number
  /** Limit on requests that wait. */
  readonly maxPending?: number
  /** Releases what belongs to the log beside it, after the member has closed it. */
  readonly onClosed?: () => Promise<void>
  /** Number of entries between two snapshots. */
  readonly snapshotEntries?: number
  readonly rarePoints?: RarePoints | undefined
}

/** Longer than an election of the stream's leader takes (4 to 9 s). */
const defaultRequestTimeoutMs = 15_000
const defaultMaxPending = 20_000
const defaultSnapshotEntries = 5000
/** Interval of deadlines, heartbeats and the certainty of sessions. */
const tickMs = 200
const claimIntervalMs = 1000

/**
 * Loads and folds the log. Rejects while it cannot be reached. A log that lost what this process
 * has kept of it is damaged: the member opens with what it has kept, and makes no change. Without a
 * copy, a log that cannot be folded is rejected.
 */
export async function openMember(options: MemberOptions): Promise<Coordination> {
  return await Member.open(options)
}

class Member implements Coordination {
  readonly #options: MemberOptions
  readonly #id: string
  readonly #requestTimeoutMs: number
  readonly #snapshotEntries: number
  readonly #step: StepEstimate
  readonly #proposer: Proposer
  readonly #sessions = new Map<string, MemberSession>()
  readonly #statusListeners = new Set<(status: CoordinationStatus) => void>()
  readonly #endClaims: () => void
  /** Sessions whose opening or closing was answered as unavailable: closed when possible. */
  readonly #abandoned = new Set<string>()
  /** Nodes that a repair has brought back, with their sessions: deleted when possible. */
  readonly #returned = new Map<string, string>()
  #unsubscribe: () => void
  readonly #copy: LocalCopy | undefined
  #replica: Replica
  #status: CoordinationStatus = 'connected'
  #problem: CoordinationError | undefined
  #isReachable = true
  #isClosed = false
  #isReplacing = false
  #tick: Timer | undefined
  /** When an entry of this member was last appended and folded. */
  #heardMs: number
  #claimedMs = 0
  /** A member that is ahead of this one, and since when. */
  #ahead: { readonly claim: LogPosition; readonly sinceMs: number } | undefined
  #isWritingSnapshot = false

  static async open(options: MemberOptions): Promise<Member> {
    const history = await options.log.load()
    let member: Member | undefined
    const ended = (sessions: readonly string[]) => member?.endSessions(sessions)
    const folded = () => member!.foldedState
    const copy = openCopy(options, folded)
    const start = await startOf(history, copy, ended)
    member = new Member(options, start.replica, copy)
    if (start.problem) member.#damage(start.problem)
    else copy?.begin(history)
    return member
  }

  private constructor(options: MemberOptions, replica: Replica, copy: LocalCopy | undefined) {
    this.#copy = copy
    const { log, clock, scheduler, random } = options
    this.#options = options
    this.#replica = replica
    this.#id = uuidText(randomUuid(random))
    this.#heardMs = clock.monotonicMs()
    this.#step = new StepEstimate(this.#heardMs)
    this.#requestTimeoutMs = options.requestTimeoutMs ?? defaultRequestTimeoutMs
    this.#snapshotEntries = options.snapshotEntries ?? defaultSnapshotEntries
    this.#proposer = new Proposer({
      ...{ log, clock, scheduler, member: this.#id, step: this.#step },
      maxPending: options.maxPending ?? defaultMaxPending,
      requestTimeoutMs: this.#requestTimeoutMs,
      replica: () => this.#replica,
      receive: (entry) => this.#receive(entry),
      onHeard: (begunMs) => this.#heard(begunMs),
      onDamage: (error) => this.#damage(error),
    })
    this.#unsubscribe = this.#follow()
    this.#endClaims = log.onClaim((claim) => this.#claimed(claim))
    this.#setTick()
  }

  get tree(): TreeReader {
    return this.#replica.tree
  }

  figures(): CoordinationFigures {
    const { sequence, identity, state } = this.#replica
    return {
      pendingRequests: this.#proposer.pending,
      sequence,
      generation: identity.generation,
      logId: identity.id,
      sessions: [...state.sessions.values()].map(({ id, name, timeoutMs, lastHeardMs }) => {
        return { id, name, timeoutMs, unheardMs: state.clockMs - lastHeardMs }
      }),
    }
  }

  get status(): CoordinationStatus {
    return this.#status
  }

  get problem(): string | undefined {
    if (this.#problem) return this.#problem.message
    return this.#status === 'suspended' ? 'the coordination log cannot be reached' : undefined
  }

  onStatus(listener: (status: CoordinationStatus) => void): () => void {
    this.#statusListeners.add(listener)
    return () => void this.#statusListeners.delete(listener)
  }

  transact(operations: readonly Operation[]): Promise<readonly OperationResult[]> {
    return this.#transact(undefined, operations)
  }

  async sync(): Promise<void> {
    if (this.#options.log.isShared) await this.#transact(undefined, [])
    else await this.#readAll()
  }

  watch(path: string, mode: WatchMode, listener: WatchListener): () => void {
    return this.#replica.watches.add(path, mode, listener)
  }

  async openSession({ timeoutMs, name }: SessionOptions): Promise<Session> {
    const { clock, random, log } = this.#options
    const id = uuidText(randomUuid(random))
    const session = new MemberSession({
      ...{ id, timeoutMs, clock, isShared: () => log.isShared },
      actions: {
        transact: (operations) => this.#transact(id, operations),
        close: () => this.#closeSession(id),
      },
    })
    this.#sessions.set(id, session)
    try {
      resultsOf(await this.#request({ type: 'openSession', session: id, timeoutMs, name }))
    } catch (error) {
      this.#sessions.delete(id)
      this.#abandoned.add(id)
      session.end()
      throw error
    }
    return session
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    // Best effort: a session that is not closed expires.
    if (this.#status === 'connected') {
      const open = [...this.#sessions.values()]
      await Promise.all(open.map((session) => session.close().catch(ignoreUnavailable)))
    }
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unsubscribe()
    this.#endClaims()
    this.#tick?.cancel()
    this.#proposer.stop(closed())
    for (const session of this.#sessions.values()) session.end()
    this.#setStatus('closed')
    await this.#copy?.close()
    await this.#options.log.close()
    await this.#options.onClosed?.()
  }

  /** What the copy begins with. */
  get foldedState(): FoldedState {
    return { identity: this.#replica.identity, snapshot: this.#replica.snapshot() }
  }

  /** The log has ended these sessions, of any member. */
  endSessions(sessions: readonly string[]): void {
    for (const id of sessions) {
      this.#sessions.get(id)?.end()
      this.#sessions.delete(id)
    }
  }

  async #transact(
    session: string | undefined,
    operations: readonly Operation[],
  ): Promise<readonly OperationResult[]> {
    const problem = sizeProblem(operations)
    if (problem) throw new TransactionError('BAD_ARGUMENTS', problem, -1)
    return resultsOf(await this.#request({ type: 'transaction', session, operations }))
  }

  async #closeSession(session: string): Promise<void> {
    if (!this.#sessions.has(session)) return
    try {
      resultsOf(await this.#request({ type: 'closeSession', session }))
    } catch (error) {
      // Nobody relies on the session any more, but every entry of this member would renew it.
      this.#abandoned.add(session)
      throw error
    }
  }

  #request(request: Request): Promise<TransactionOutcome> {
    if (this.#isClosed) return Promise.reject(closed())
    if (this.#problem) return Promise.reject(this.#problem)
    const deadlineMs = this.#options.clock.monotonicMs() + this.#requestTimeoutMs
    return new Promise((answer, refuse) => {
      const bytes = sizeOf(request)
      this.#proposer.add({ request, bytes, deadlineMs, answer, refuse, isDone: false })
      this.#setTick()
    })
  }

  #follow(): () => void {
    // A subscription tells only of changes.
    this.#isReachable = true
    return this.#options.log.subscribe(this.#replica.sequence, {
      onEntry: (entry) => this.#receive(entry),
      onSnapshot: (snapshot) => this.#skipTo(snapshot),
      onIdentity: (identity, lastSequence) => this.#replaceLog(identity, lastSequence),
      onLost: (lastSequence) => this.#lost(lastSequence),
      onReachable: (isReachable) => this.#setReachable(isReachable),
    })
  }

  #receive(entry: LogEntry): void {
    if (this.#problem || this.#isClosed || this.#isReplacing) return
    let folded: FoldedEntry | undefined
    try {
      folded = this.#replica.fold(entry)
    } catch (error) {
      if (!(error instanceof CoordinationError)) throw error
      this.#damage(error)
      return
    }
    if (!folded) return
    this.#step.folded(this.#options.clock.monotonicMs(), folded.entry.stepMs)
    this.#copy?.entry(entry)
    this.#proposer.folded(folded)
    // One member writes each snapshot: the one whose entry it was.
    const isForced = this.#options.rarePoints?.isForced('coordination snapshot')
    const isDue = isForced || folded.sequence % this.#snapshotEntries === 0
    if (isDue && folded.entry.member === this.#id) void this.#writeSnapshot()
  }

  /** Nobody else appends: what the log has is all there is, and needs no entry to be behind. */
  async #readAll(): Promise<void> {
    if (this.#problem) throw this.#problem
    for (const entry of await this.#options.log.read(this.#replica.sequence)) this.#receive(entry)
  }

  #heard(begunMs: number): void {
    this.#heardMs = this.#options.clock.monotonicMs()
    for (const session of this.#sessions.values()) session.heard(begunMs)
    this.#checkStatus()
  }

  async #writeSnapshot(): Promise<void> {
    if (this.#isWritingSnapshot) return
    this.#isWritingSnapshot = true
    const { log, logger } = this.#options
    try {
      const snapshot = this.#replica.snapshot()
      await log.writeSnapshot(snapshot)
      this.#copy?.snapshot(snapshot)
    } catch (error) {
      if (error instanceof AssertionError) throw error
      // The entries are still in the log; the next snapshot removes them.
      logger.warn({ error }, 'failed to write a snapshot of the coordination log')
    } finally {
      this.#isWritingSnapshot = false
    }
  }

  #skipTo(snapshot: LogSnapshot): void {
    if (this.#problem || this.#isClosed || snapshot.sequence <= this.#replica.sequence) return
    this.#replace(this.#replica.identity, snapshot)
    if (!this.#problem) this.#copy?.snapshot(snapshot)
  }

  #replace(identity: LogIdentity, snapshot: LogSnapshot | undefined): void {
    const before = this.#replica.state
    try {
      this.#replica.replace(identity, snapshot)
    } catch (error) {
      if (!(error instanceof CoordinationError)) throw error
      this.#damage(error)
      return
    }
    this.#ahead = undefined
    this.#step.begin(this.#options.clock.monotonicMs())
    this.#proposer.replaced()
    // A repair may have taken back that a session was closed.
    for (const { id, member } of this.#replica.sessions.values()) {
      if (member === this.#id && !this.#sessions.has(id)) this.#abandoned.add(id)
    }
    this.#deleteReturned(before)
  }

  /**
   * A repair may have taken back that nodes of a session that goes on were deleted. Nobody expects
   * them any more: a place in a queue would block it. A node that the state before has not folded
   * yet is one that somebody waits for.
   */
  #deleteReturned(before: CoordinationState): void {
    const { state } = this.#replica
    for (const session of this.#sessions.keys()) {
      for (const path of state.ephemeralsOf(session)) {
        const { createdZxid } = state.exists(path)!
        const isBack = before.exists(path) === undefined && createdZxid <= before.zxid
        if (isBack) this.#deleteNode(path, session)
      }
    }
  }

  #deleteNode(path: string, session: string): void {
    this.#returned.delete(path)
    const operation = { type: 'delete', path } as const
    this.#request({ type: 'transaction', session, operations: [operation] }).catch(() =>
      this.#returned.set(path, session),
    )
  }

  /** A repaired log has the next generation; any other log under this name is damage. */
  #replaceLog(identity: LogIdentity, lastSequence: number): void {
    const own = this.#replica.identity
    if (this.#isClosed || identity.id === own.id) return
    if (identity.generation > own.generation) {
      void this.#adopt(identity)
      return
    }
    this.#damage(
      damaged(
        `it was created anew with the id ${identity.id} and ${lastSequence} entries; ` +
          `this process has folded ${this.#replica.sequence} entries of ${own.id}`,
      ),
    )
    this.#followLater()
  }

  /** The subscription is over; the next one notices a repair. */
  #followLater(): void {
    this.#unsubscribe()
    this.#options.clock.setTimer(claimIntervalMs, () => {
      if (this.#problem && !this.#isClosed && !this.#isReplacing) this.#unsubscribe = this.#follow()
    })
  }

  async #adopt(identity: LogIdentity): Promise<void> {
    if (this.#isReplacing) return
    this.#isReplacing = true
    this.#unsubscribe()
    const { log, logger } = this.#options
    try {
      const history = await log.load()
      this.#isReplacing = false
      if (this.#isClosed) return
      this.#problem = undefined
      this.#replace(history.identity, history.snapshot)
      if (!this.#problem) this.#copy?.begin(history)
      for (const entry of history.entries) this.#receive(entry)
      this.#unsubscribe = this.#follow()
      logger.info({ generation: identity.generation }, 'the coordination log was repaired')
      this.#proposer.restart()
      this.#checkStatus()
    } catch (error) {
      this.#isReplacing = false
      if (error instanceof AssertionError) throw error
      logger.warn({ error }, 'failed to load the repaired coordination log; retrying')
      this.#options.clock.setTimer(claimIntervalMs, () => {
        if (!this.#isClosed) void this.#adopt(identity)
      })
    }
  }

  #lost(lastSequence: number): void {
    const { sequence } = this.#replica
    if (this.#isClosed || lastSequence >= sequence) return
    this.#damage(
      damaged(
        `its last entry is ${lastSequence}, but this process has folded entry ${sequence}: ` +
          'it lost entries',
      ),
    )
  }

  #damage(error: CoordinationError): void {
    if (this.#problem || this.#isClosed) return
    this.#problem = error
    this.#options.logger.error({ error }, 'coordination stopped')
    this.#proposer.stop(error)
    this.#claim(this.#options.clock.monotonicMs())
    this.#checkStatus()
  }

  #claim(nowMs: number): void {
    this.#claimedMs = nowMs
    this.#options.log.claim(this.#replica.position(this.#options.name))
  }

  #claimed(claim: LogPosition): void {
    if (this.#problem || this.#isClosed || claim.id !== this.#replica.identity.id) return
    try {
      this.#replica.compare(claim)
    } catch (error) {
      if (!(error instanceof CoordinationError)) throw error
      this.#damage(error)
      return
    }
    const { sequence } = this.#replica
    if (claim.sequence <= sequence) return
    const isFurther = this.#ahead === undefined || this.#ahead.claim.sequence <= sequence
    if (isFurther) this.#ahead = { claim, sinceMs: this.#options.clock.monotonicMs() }
  }

  /** Another member claims an entry that was never delivered here: it may have been lost. */
  async #checkAhead(nowMs: number): Promise<void> {
    const ahead = this.#ahead
    if (!ahead || nowMs - ahead.sinceMs < 3 * claimIntervalMs) return
    this.#ahead = undefined
    const { sequence: from, identity } = this.#replica
    if (ahead.claim.sequence <= from) return
    let entries: readonly LogEntry[]
    try {
      entries = await this.#options.log.read(from)
    } catch (error) {
      if (error instanceof AssertionError) throw error
      // Unreachable: the claim is repeated, and checked again.
      return
    }
    // A repair took place meanwhile: this was read from the log before it.
    if (this.#replica.identity.id !== identity.id) return
    for (const entry of entries) this.#receive(entry)
    const { sequence } = this.#replica
    if (this.#problem || sequence >= ahead.claim.sequence) return
    this.#damage(
      damaged(
        `${ahead.claim.member} has folded entry ${ahead.claim.sequence}, but the log ends at ` +
          `entry ${sequence}: it lost entries`,
      ),
    )
  }

  #setReachable(isReachable: boolean): void {
    this.#isReachable = isReachable
    this.#checkStatus()
  }

  /** The timer runs while there is anything to watch: a lone idle member never wakes up. */
  #setTick(): void {
    if (this.#tick || this.#isClosed) return
    const { log, clock } = this.#options
    if (!log.isShared && this.#proposer.pending === 0) return
    this.#tick = clock.setTimer(tickMs, () => {
      this.#tick = undefined
      this.#onTick(clock.monotonicMs())
      this.#setTick()
    })
  }

  #onTick(nowMs: number): void {
    const { log } = this.#options
    this.#proposer.sweep(nowMs)
    for (const session of this.#sessions.values()) session.check()
    this.#checkStatus()
    this.#removeAbandoned()
    if (!log.isShared) return
    if (nowMs - this.#claimedMs >= claimIntervalMs) this.#claim(nowMs)
    void this.#checkAhead(nowMs)
    const isDue = isHeartbeatDue({
      member: this.#id,
      sessions: this.#replica.sessions.values(),
      unheardMs: nowMs - this.#heardMs,
      idleMs: this.#step.idleMs(nowMs),
      isShared: log.isShared,
    })
    if (isDue && !this.#problem) this.#proposer.heartbeat()
  }

  /** Sessions, which every entry of this member would renew for ever, and nodes. */
  #removeAbandoned(): void {
    for (const session of this.#abandoned) {
      if (!this.#replica.sessions.has(session)) continue
      this.#abandoned.delete(session)
      this.#request({ type: 'closeSession', session }).catch(() => this.#abandoned.add(session))
    }
    for (const [path, session] of this.#returned) {
      const isThere = this.#replica.tree.exists(path)?.ephemeralOwner === session
      if (isThere) this.#deleteNode(path, session)
      else this.#returned.delete(path)
    }
  }

  #checkStatus(): void {
    if (this.#isClosed) return
    if (this.#problem) {
      this.#setStatus('damaged')
      return
    }
    const isUncertain = [...this.#sessions.values()].some(
      (session) =>
        this.#replica.sessions.has(session.id) && !session.isCertain && !session.isClosing,
    )
    this.#setStatus(this.#isReachable && !isUncertain ? 'connected' : 'suspended')
  }

  #setStatus(status: CoordinationStatus): void {
    if (status === this.#status) return
    this.#status = status
    for (const listener of [...this.#statusListeners]) listener(status)
  }
}

function resultsOf(outcome: TransactionOutcome): readonly OperationResult[] {
  if (!('error' in outcome)) return outcome.results
  throw new TransactionError(outcome.error, outcome.message, outcome.operation)
}

function ignoreUnavailable(error: unknown): void {
  assert(error instanceof CoordinationError || error instanceof TransactionError, String(error))
}
