// A coordination log in memory, shared by its members, for tests and for a simulator. The server
// outlives its members. Time comes from the clock, the order of concurrent events from the
// scheduler, faults from MemoryLogFaults; without faults, requests and deliveries are prompt and in
// order. It can also be damaged in the ways in which JetStream was in public tests.
//
// A request that times out at its caller may take effect later. Entries are delivered to each
// subscription once and in order, after a break from the last delivered one. Must never deliver an
// entry that is not in the log, except to members who read it before `fork` or `loseSuffix`.

import type { Random } from '../../runtime/random.ts'
import { randomUuid, uuidText } from '../../runtime/random.ts'
import type { Scheduler } from '../../runtime/scheduling/scheduler.ts'
import type { Clock } from '../../runtime/time/clock.ts'
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
import { closedLog } from './logRefusals.ts'
import { MemberListeners } from './memberListeners.ts'
import {
  type MemoryLogFaults,
  type MemoryLogRequest,
  noFaults,
  type RequestFate,
} from './memoryLogFaults.ts'
import { MemoryLogState } from './memoryLogState.ts'

export interface MemoryLogOptions {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** For the ids of logs. */
  readonly random: Random
  readonly faults?: MemoryLogFaults
  /** Time after which a request without an answer is rejected, in ms. */
  readonly requestTimeoutMs?: number
  /** Time after which a member notices that the log cannot be reached, in ms. */
  readonly noticeMs?: number
  /** Number of entries before a snapshot that are kept for members a little behind. */
  readonly keptEntries?: number
}

/** Requests that wait while the log is paused; further ones are lost. */
const maxWaiting = 10_000

/** Which directions between a member and the log work. */
interface Link {
  toLog: boolean
  fromLog: boolean
  /** Deliveries to subscriptions wait until then. */
  brokenUntilMs: number
}

export class MemoryLogServer {
  readonly #options: MemoryLogOptions
  readonly #faults: MemoryLogFaults
  readonly #state: MemoryLogState
  readonly #members = new Set<MemberLog>()
  readonly #links = new Map<string, Link>()
  readonly #subscriptions = new Set<Subscription>()
  #isPaused = false
  #waiting: (() => void)[] = []

  constructor(options: MemoryLogOptions) {
    this.#options = options
    this.#faults = options.faults ?? noFaults
    this.#state = new MemoryLogState(this.#newIdentity(), options.keptEntries ?? 0)
  }

  /** Opens the log for a member. Several logs may be open for one member, after a restart of it. */
  open(member: string): CoordinationLog {
    const log = new MemberLog(this, member)
    this.#members.add(log)
    return log
  }

  /** What the log has, without a request. */
  history(): LogHistory {
    return this.#state.history()
  }

  /** Cuts or restores the directions between a member and the log. */
  setReachable(member: string, directions: { toLog: boolean; fromLog: boolean }): void {
    Object.assign(this.#link(member), directions)
    this.#reachabilityChanged()
  }

  /** Stops deliveries to the subscriptions of a member for a time; nothing is missed. */
  breakSubscriptions(member: string, forMs: number): void {
    const link = this.#link(member)
    link.brokenUntilMs = Math.max(link.brokenUntilMs, this.clock.monotonicMs() + forMs)
    this.after(forMs, () => this.#pumpAll())
  }

  /** Nothing takes effect from now on, as during the election of a stream's leader. */
  pause(): void {
    this.#isPaused = true
    this.#reachabilityChanged()
  }

  /** Requests that arrived during the pause take effect now, in the order of their arrival. */
  resume(): void {
    this.#isPaused = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const request of waiting) request()
    this.#reachabilityChanged()
  }

  /** Damage: the last `count` entries are lost, although their appends were acknowledged. */
  loseSuffix(count: number): void {
    this.#state.loseSuffix(count)
    this.#pumpAll()
  }

  /** Damage: the log is created anew, empty and with another identity. */
  recreate(): void {
    this.#state.replace({
      identity: this.#newIdentity(),
      snapshot: undefined,
      entries: [],
      lastSequence: 0,
    })
    this.#pumpAll()
  }

  /**
   * Damage: the last entry is another one from now on. Members who have read it do not hear of
   * that.
   */
  fork(bytes: Uint8Array): void {
    this.#state.fork(Buffer.from(bytes))
  }

  /** Replaces the log by a history, which has an identity of its own. */
  repair(history: LogHistory): void {
    this.#state.replace(history)
    this.#pumpAll()
  }

  // What follows is for MemberLog and Subscription.

  get clock(): Clock {
    return this.#options.clock
  }

  get requestTimeoutMs(): number {
    return this.#options.requestTimeoutMs ?? 5000
  }

  get identity(): LogIdentity {
    return this.#state.identity
  }

  /** Sends a request of a member; `answer` is called unless something is lost. */
  send<T>(
    member: string,
    request: MemoryLogRequest,
    perform: (state: MemoryLogState) => T,
    answer: (outcome: () => T) => void,
  ): void {
    const fate = this.#faults.request(member, request)
    if (fate.isRequestLost) return
    this.after(fate.requestMs, () =>
      this.#arrive(member, () => this.#answer(member, fate, this.#perform(perform), answer)),
    )
    if (fate.againAfterMs === undefined) return
    this.after(fate.requestMs + fate.againAfterMs, () =>
      this.#arrive(member, () => void this.#perform(perform)),
    )
  }

  /** Tells the other members of a claim. */
  broadcast(from: MemberLog, position: LogPosition): void {
    for (const log of this.#members) {
      if (log === from) continue
      this.after(this.#faults.deliveryMs(log.member), () => {
        if (this.#link(log.member).fromLog) log.hearClaim(position)
      })
    }
  }

  subscribe(subscription: Subscription): () => void {
    this.#subscriptions.add(subscription)
    this.#pump(subscription)
    this.#watchReachability(subscription)
    return () => {
      subscription.isEnded = true
      this.#subscriptions.delete(subscription)
    }
  }

  closed(log: MemberLog): void {
    this.#members.delete(log)
  }

  after(delayMs: number, task: () => void): void {
    if (delayMs > 0) this.clock.setTimer(delayMs, task)
    else this.#options.scheduler.later(task)
  }

  #perform<T>(perform: (state: MemoryLogState) => T): () => T {
    const before = this.#state.lastSequence
    try {
      const result = perform(this.#state)
      if (this.#state.lastSequence !== before) this.#pumpAll()
      return () => result
    } catch (error) {
      // A refusal is the answer to the member; anything else is a bug.
      if (!(error instanceof CoordinationError)) throw error
      return () => {
        throw error
      }
    }
  }

  #answer<T>(
    member: string,
    fate: RequestFate,
    outcome: () => T,
    answer: (outcome: () => T) => void,
  ): void {
    if (fate.isAnswerLost) return
    this.after(fate.answerMs, () => {
      if (this.#link(member).fromLog) answer(outcome)
    })
  }

  #arrive(member: string, request: () => void): void {
    if (!this.#link(member).toLog) return
    if (!this.#isPaused) request()
    else if (this.#waiting.length < maxWaiting) this.#waiting.push(request)
  }

  #pumpAll(): void {
    for (const subscription of this.#subscriptions) this.#pump(subscription)
  }

  /** Schedules the next delivery of a subscription unless one is scheduled. */
  #pump(subscription: Subscription): void {
    if (subscription.isScheduled || !subscription.isBehind(this.#state)) return
    subscription.isScheduled = true
    this.after(this.#faults.deliveryMs(subscription.member), () => {
      subscription.isScheduled = false
      if (!this.#delivers(subscription.member)) return
      subscription.deliver(this.#state)
    })
  }

  #delivers(member: string): boolean {
    const { fromLog, brokenUntilMs } = this.#link(member)
    return fromLog && !this.#isPaused && brokenUntilMs <= this.clock.monotonicMs()
  }

  #reachabilityChanged(): void {
    for (const subscription of this.#subscriptions) this.#watchReachability(subscription)
    this.#pumpAll()
  }

  #watchReachability(subscription: Subscription): void {
    if (this.#isReachable(subscription.member) === subscription.isReachable) return
    const delayMs = subscription.isReachable ? (this.#options.noticeMs ?? 1000) : 0
    this.after(delayMs, () => {
      const isReachable = this.#isReachable(subscription.member)
      // It may have changed back, or another check has reported it.
      if (isReachable !== subscription.isReachable) subscription.setReachable(isReachable)
    })
  }

  #isReachable(member: string): boolean {
    const { toLog, fromLog } = this.#link(member)
    return toLog && fromLog && !this.#isPaused
  }

  #link(member: string): Link {
    let link = this.#links.get(member)
    if (link === undefined) {
      link = { toLog: true, fromLog: true, brokenUntilMs: 0 }
      this.#links.set(member, link)
    }
    return link
  }

  #newIdentity(): LogIdentity {
    return { generation: 1, id: uuidText(randomUuid(this.#options.random)) }
  }
}

/** Deliveries to one listener. */
class Subscription {
  readonly member: string
  readonly #listener: LogListener
  isEnded = false
  isScheduled = false
  isReachable = true
  #delivered: number
  readonly #identity: LogIdentity
  /** The end that was reported as lost; undefined while nothing is. */
  #lostAt: number | undefined

  constructor(member: string, identity: LogIdentity, sequence: number, listener: LogListener) {
    this.member = member
    this.#identity = identity
    this.#delivered = sequence
    this.#listener = listener
  }

  isBehind(state: MemoryLogState): boolean {
    if (this.isEnded || state.identity.id !== this.#identity.id) return !this.isEnded
    return state.lastSequence !== (this.#lostAt ?? this.#delivered)
  }

  deliver(state: MemoryLogState): void {
    if (this.isEnded) return
    if (state.identity.id !== this.#identity.id) {
      // The entries of another log need another subscription.
      this.isEnded = true
      this.#listener.onIdentity(state.identity, state.lastSequence)
    } else this.#deliverEntries(state)
  }

  setReachable(isReachable: boolean): void {
    if (this.isEnded) return
    this.isReachable = isReachable
    this.#listener.onReachable(isReachable)
  }

  #deliverEntries(state: MemoryLogState): void {
    if (state.lastSequence < this.#delivered) {
      this.#lostAt = state.lastSequence
      this.#listener.onLost(state.lastSequence)
      return
    }
    this.#lostAt = undefined
    const { snapshot } = state
    if (snapshot !== undefined && state.firstSequence > this.#delivered + 1) {
      this.#delivered = snapshot.sequence
      this.#listener.onSnapshot(snapshot)
    }
    while (!this.isEnded && this.#delivered < state.lastSequence) {
      this.#delivered++
      this.#listener.onEntry(state.entry(this.#delivered))
    }
  }
}

/** The log as one member has opened it. */
class MemberLog implements CoordinationLog {
  readonly isShared = true
  readonly appliesLate = true
  readonly member: string
  readonly #server: MemoryLogServer
  /** The log that was loaded: a subscription is about this one. */
  #identity: LogIdentity | undefined
  readonly #listeners = new MemberListeners()
  readonly #pending = new Set<(error: CoordinationError) => void>()
  #isClosed = false

  constructor(server: MemoryLogServer, member: string) {
    this.#server = server
    this.member = member
  }

  async load(): Promise<LogHistory> {
    const history = await this.#request('load', (state) => state.history())
    this.#identity = history.identity
    return history
  }

  append(sequence: number, bytes: Uint8Array): Promise<AppendOutcome> {
    const own = Buffer.from(bytes)
    return this.#request('append', (state) => state.append(sequence, own))
  }

  subscribe(sequence: number, listener: LogListener): () => void {
    if (this.#isClosed) return () => {}
    const identity = this.#identity ?? this.#server.identity
    const subscription = new Subscription(this.member, identity, sequence, listener)
    return this.#listeners.subscribed(this.#server.subscribe(subscription))
  }

  read(sequence: number): Promise<readonly LogEntry[]> {
    return this.#request('read', (state) => state.entriesAfter(sequence))
  }

  writeSnapshot({ sequence, bytes }: LogSnapshot): Promise<void> {
    const own = Buffer.from(bytes)
    return this.#request('writeSnapshot', (state) => state.writeSnapshot({ sequence, bytes: own }))
  }

  claim(position: LogPosition): void {
    if (this.#isClosed) return
    const perform = () => this.#server.broadcast(this, position)
    this.#server.send(this.member, 'claim', perform, () => {})
  }

  onClaim(listener: (position: LogPosition) => void): () => void {
    return this.#listeners.onClaim(listener)
  }

  hearClaim(position: LogPosition): void {
    this.#listeners.claimed(position)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#server.closed(this)
    this.#listeners.close()
    for (const fail of [...this.#pending]) fail(closedLog())
  }

  #request<T>(request: MemoryLogRequest, perform: (state: MemoryLogState) => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(closedLog())
    return new Promise<T>((resolve, reject) => {
      const fail = (error: CoordinationError) => finish(() => reject(error))
      const timer = this.#server.clock.setTimer(this.#server.requestTimeoutMs, () =>
        fail(new CoordinationError('COORDINATION_UNAVAILABLE', `no answer to ${request} in time`)),
      )
      this.#pending.add(fail)
      const finish = (settle: () => void) => {
        timer.cancel()
        if (this.#pending.delete(fail)) settle()
      }
      this.#server.send(this.member, request, perform, (outcome) =>
        finish(() => {
          try {
            resolve(outcome())
          } catch (error) {
            reject(error)
          }
        }),
      )
    })
  }
}
