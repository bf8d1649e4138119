// Proposes the requests of one member, one entry at a time. All requests of a turn, and those that
// arrive while an entry is appended, share the next entry.
//
// Invariants: entries of a member are appended one after another; every request ends in exactly one
// call of `answer` or `refuse`; an append whose outcome is unknown is repeated with the same bytes
// until the log has an entry at its place, because it may still take effect.

import { AssertionError } from '../../runtime/assert.ts'
import type { Scheduler } from '../../runtime/scheduling/scheduler.ts'
import { type Clock, sleep } from '../../runtime/time/clock.ts'
import { CoordinationError } from '../coordinationError.ts'
import type { AppendOutcome, CoordinationLog, LogEntry } from '../log/coordinationLog.ts'
import { encodeEntry } from '../tree/entryCodec.ts'
import type { Entry } from '../tree/proposal.ts'
import { damaged, unavailable } from './problems.ts'
import type { FoldedEntry, Replica } from './replica.ts'
import { answer, type PendingRequest, RequestQueue, refuse } from './requestQueue.ts'
import type { StepEstimate } from './stepEstimate.ts'

export interface ProposerOptions {
  readonly log: CoordinationLog
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Id of this member. */
  readonly member: string
  readonly maxPending: number
  readonly requestTimeoutMs: number
  readonly step: StepEstimate
  readonly replica: () => Replica
  /** Folds entries that were read, or whose append was acknowledged. */
  readonly receive: (entry: LogEntry) => void
  /** An entry of this member is in the log; its first append began at `begunMs`. */
  readonly onHeard: (begunMs: number) => void
  /** The log contradicts itself. */
  readonly onDamage: (error: CoordinationError) => void
}

interface Attempt {
  readonly sequence: number
  readonly number: number
  readonly bytes: Uint8Array
  readonly requests: readonly PendingRequest[]
  readonly begunMs: number
  readonly settled: AbortController
  isSettled: boolean
  /** The state was replaced by one after the attempt's place: the fold does not decide it. */
  isSkipped: boolean
  isConflict: boolean
  /** Whether the log is asked to append it at the moment. */
  isAppending: boolean
  /** Whether an append was not answered: then a later conflict may be with the entry itself. */
  wasUnknown: boolean
}

/** Time for another member's entry to be delivered before it is read. */
const conflictWaitMs = 50
const minRetryMs = 50
const maxRetryMs = 2000

export class Proposer {
  readonly #options: ProposerOptions
  readonly #queue: RequestQueue
  #entries = 0
  #attempt: Attempt | undefined
  #isScheduled = false
  #isHeartbeatDue = false
  #isStopped = false
  #lastFailure: unknown

  constructor(options: ProposerOptions) {
    this.#options = options
    this.#queue = new RequestQueue(options.maxPending)
  }

  /** Requests that are not answered yet. */
  get pending(): number {
    return this.#queue.length + (this.#attempt?.requests.length ?? 0)
  }

  add(request: PendingRequest): void {
    this.#queue.add(request)
    this.#schedule()
  }

  /** Appends an entry soon, even without a request. */
  heartbeat(): void {
    this.#isHeartbeatDue = true
    this.#schedule()
  }

  /** Every entry that is folded is passed here, in order. */
  folded({ sequence, entry, outcomes }: FoldedEntry): void {
    const attempt = this.#attempt
    if (attempt?.sequence !== sequence) return
    const isOwn = entry.member === this.#options.member && entry.number === attempt.number
    this.#settle(attempt)
    if (isOwn) {
      this.#options.onHeard(attempt.begunMs)
      for (const [at, request] of attempt.requests.entries()) answer(request, outcomes[at]!)
    } else {
      this.#queue.putBack(attempt.requests)
    }
    this.#schedule()
  }

  /** The state was replaced: only the answer of the log can tell the outcome of an append. */
  replaced(): void {
    const attempt = this.#attempt
    if (!attempt) return
    attempt.isSkipped = true
    // The log may be another one from now on: its bytes must not be appended again.
    if (!attempt.isAppending) this.#endSkipped(attempt)
  }

  /** Refuses the requests whose callers stopped waiting. */
  sweep(nowMs: number): void {
    for (const request of this.#queue.takeOverdue(nowMs)) this.#refuseLate(request, false)
    for (const request of this.#attempt?.requests ?? []) {
      if (request.deadlineMs <= nowMs) this.#refuseLate(request, true)
    }
  }

  /** Refuses everything, now and from now on. */
  stop(error: Error): void {
    this.#isStopped = true
    const inFlight = this.#attempt?.requests ?? []
    if (this.#attempt) this.#settle(this.#attempt)
    for (const request of [...inFlight, ...this.#queue.drain()]) refuse(request, error)
  }

  /** Proposes again after `stop`, when a damaged log was repaired. */
  restart(): void {
    this.#isStopped = false
    this.#schedule()
  }

  #endSkipped(attempt: Attempt): void {
    this.#settle(attempt)
    if (attempt.isConflict && !attempt.wasUnknown) this.#queue.putBack(attempt.requests)
    else for (const request of attempt.requests) this.#refuseLate(request, true)
    this.#schedule()
  }

  #refuseLate(request: PendingRequest, wasProposed: boolean): void {
    const { requestTimeoutMs } = this.#options
    refuse(request, unavailable(wasProposed, requestTimeoutMs, this.#lastFailure))
  }

  #settle(attempt: Attempt): void {
    this.#attempt = undefined
    attempt.isSettled = true
    // Without a reason, a DOMException with a stack is made for each entry.
    attempt.settled.abort('settled')
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStopped || this.#attempt) return
    if (this.#queue.length === 0 && !this.#isHeartbeatDue) return
    this.#isScheduled = true
    this.#options.scheduler.soon(this.#propose)
  }

  readonly #propose = (): void => {
    this.#isScheduled = false
    if (this.#isStopped || this.#attempt) return
    const requests = this.#queue.take()
    if (requests.length === 0 && !this.#isHeartbeatDue) return
    this.#isHeartbeatDue = false
    const { clock, member, step, replica } = this.#options
    const begunMs = clock.monotonicMs()
    const entry: Entry = {
      ...{ member, number: ++this.#entries, stepMs: step.next(begunMs), wallMs: clock.nowMs() },
      requests: requests.map(({ request }) => request),
    }
    const attempt: Attempt = {
      sequence: replica().sequence + 1,
      number: entry.number,
      bytes: replica().frame(encodeEntry(entry)),
      ...{ requests, begunMs, settled: new AbortController() },
      ...{ isSettled: false, isSkipped: false, isConflict: false },
      ...{ isAppending: false, wasUnknown: false },
    }
    this.#attempt = attempt
    void this.#append(attempt)
  }

  /** Appends until the attempt is settled: by the fold, or by an answer that decides it. */
  async #append(attempt: Attempt): Promise<void> {
    let retryMs = minRetryMs
    while (!attempt.isSettled) {
      attempt.isAppending = true
      const outcome = await this.#appendOnce(attempt)
      attempt.isAppending = false
      if (attempt.isSettled) return
      attempt.isConflict = outcome === 'conflict'
      if (outcome === 'unknown') attempt.wasUnknown = true
      if (attempt.isSkipped) this.#endSkipped(attempt)
      else if (outcome === 'appended') this.#appended(attempt)
      else if (outcome === 'conflict') await this.#lostAgainst(attempt)
      else if (this.#options.log.appliesLate) await this.#read(attempt)
      else await this.#decide(attempt)
      await this.#pause(attempt, retryMs)
      retryMs = Math.min(retryMs * 2, maxRetryMs)
    }
  }

  #appended({ sequence, bytes }: Attempt): void {
    this.#options.receive({ sequence, bytes })
  }

  /** Another member's entry has the attempt's place: it is delivered, or read. */
  async #lostAgainst(attempt: Attempt): Promise<void> {
    await this.#pause(attempt, conflictWaitMs)
    if (attempt.isSettled || !(await this.#read(attempt)) || attempt.isSettled) return
    this.#options.onDamage(
      damaged(
        `it ends before entry ${attempt.sequence - 1}, which this process has folded: ` +
          'it lost entries, or was created anew',
      ),
    )
  }

  /** A rejected append at a log that applies nothing late: what can be read is what there is. */
  async #decide(attempt: Attempt): Promise<void> {
    for (let retryMs = minRetryMs; ; retryMs = Math.min(retryMs * 2, maxRetryMs)) {
      const isRead = await this.#read(attempt)
      if (attempt.isSettled) return
      this.#refuseAttempt(attempt, isRead)
      if (isRead) return
      await this.#pause(attempt, retryMs)
      if (attempt.isSettled) return
    }
  }

  async #pause(attempt: Attempt, ms: number): Promise<void> {
    if (!attempt.isSettled) await sleep(this.#options.clock, ms, attempt.settled.signal)
  }

  /**
   * Answers the callers of an append that failed at a log of this process, without the wait for an
   * answer that may still come from a server. `isDecided`: the log was read, and does not have it.
   */
  #refuseAttempt(attempt: Attempt, isDecided: boolean): void {
    for (const request of attempt.requests) {
      refuse(request, unavailable(!isDecided, attemptMs(attempt, this.#options), this.#lastFailure))
    }
    if (!isDecided) return
    this.#settle(attempt)
    this.#schedule()
  }

  async #appendOnce({ sequence, bytes }: Attempt): Promise<AppendOutcome | 'unknown'> {
    try {
      const outcome = await this.#options.log.append(sequence, bytes)
      this.#lastFailure = undefined
      return outcome
    } catch (error) {
      if (error instanceof AssertionError) throw error
      this.#lastFailure = error
      if (isDamage(error)) this.#options.onDamage(error)
      return 'unknown'
    }
  }

  /** Returns whether the log could be read; its entries were folded then. */
  async #read(attempt: Attempt): Promise<boolean> {
    const { log, receive } = this.#options
    let entries: readonly LogEntry[]
    try {
      entries = await log.read(attempt.sequence - 1)
    } catch (error) {
      if (error instanceof AssertionError) throw error
      this.#lastFailure = error
      return false
    }
    // Decided meanwhile, by a repair perhaps: then this was read from the log before it.
    if (attempt.isSettled) return false
    for (const entry of entries) receive(entry)
    return true
  }
}

function attemptMs({ begunMs }: Attempt, { clock }: ProposerOptions): number {
  return Math.round(clock.monotonicMs() - begunMs)
}

function isDamage(error: unknown): error is CoordinationError {
  return error instanceof CoordinationError && error.code === 'COORDINATION_DAMAGED'
}
