// The memory and the file channel: Flume's transactions over a ChannelState, which decides, and an
// EventStore, which keeps the bytes. This class waits: for slots, for the disk, for events. Puts
// are committed strictly in the order of the calls, so that a source may have several in flight. A
// put that fails in the store fails those admitted after it, and the position of its file returns
// to the last durable one.

import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import { AgentError } from '../errors.ts'
import type { EventBatch } from '../event.ts'
import type { ChannelCounter } from '../monitoring/counters.ts'
import type { Channel, ChannelTransaction, ResumedTake } from './channel.ts'
import type { ChannelState, PreparedTake } from './channelState.ts'
import { BatchTransaction, type PutBatch, type TransactionHost } from './channelTransaction.ts'
import type { EventStore, StoredPut } from './eventStore.ts'
import type { Range } from './rangeSet.ts'
import {
  type FileIdentity,
  fitPosition,
  type SafePosition,
  type SourcePosition,
} from './sourcePosition.ts'

export interface ChannelOptions {
  readonly name: string
  readonly type: string
  readonly transactionCapacity: number
  /** Time that a put waits for slots, in ms. */
  readonly keepAliveMs: number
  /** Byte slots that the bodies of a batch need; always 0 if bytes are not limited. */
  readonly byteSlotsOf: (batch: EventBatch) => number
}

/**
 * Puts that may wait for slots; sources have a few each, but an embedded agent's program can have
 * any number.
 */
const maxPendingPuts = 4_096

/** A put that has been committed and waits for its turn or for slots. */
interface PendingPut {
  readonly puts: readonly PutBatch[]
  /** Monotonic time of the commit. */
  readonly putMs: number
  readonly timer: Timer
  readonly resolve: (durable: Promise<void>) => void
  readonly reject: (error: Error) => void
}

export class TransactionalChannel implements Channel, TransactionHost {
  readonly name: string
  readonly type: string
  readonly capacity: number
  readonly transactionCapacity: number
  readonly counter: ChannelCounter
  readonly state: ChannelState
  readonly store: EventStore
  readonly byteSlotsOf: (batch: EventBatch) => number
  readonly #clock: Clock
  readonly #keepAliveMs: number
  readonly #pendingPuts: PendingPut[] = []
  readonly #eventWaiters = new Set<() => void>()
  /** Ids of prepared takes that a transaction holds. */
  readonly #attached = new Set<number>()
  readonly #stopCallbacks: (() => Promise<void>)[] = []
  #isOpen = false
  /** Monotonic time at which an event last left the channel, or entered the empty channel. */
  #movedMs = 0

  constructor(
    options: ChannelOptions,
    state: ChannelState,
    store: EventStore,
    counter: ChannelCounter,
    clock: Clock,
  ) {
    this.name = options.name
    this.type = options.type
    this.capacity = state.capacity
    this.transactionCapacity = options.transactionCapacity
    this.byteSlotsOf = options.byteSlotsOf
    this.counter = counter
    this.state = state
    this.store = store
    this.#keepAliveMs = options.keepAliveMs
    this.#clock = clock
  }

  get size(): number {
    return this.state.size
  }

  get pendingPuts(): number {
    return this.#pendingPuts.length
  }

  get pendingWrites(): number {
    return this.store.pendingWrites
  }

  get oldestEventMs(): number {
    return this.#isOpen && this.size > 0 ? this.#ageOf(this.state.lowestHeld) : 0
  }

  get stalledMs(): number {
    return this.#isOpen && this.size > 0 ? this.#clock.monotonicMs() - this.#movedMs : 0
  }

  async start(): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    await this.store.open(this.state, nowMs)
    this.#movedMs = nowMs
    this.#isOpen = true
    this.counter.ChannelCapacity = this.capacity
    this.counter.started(this.#clock.nowMs())
    this.count()
  }

  async stop(isHandedOn = false): Promise<void> {
    if (!this.#isOpen) return
    for (const callback of this.#stopCallbacks.splice(0)) await callback()
    this.#isOpen = false
    this.counter.stopped(this.#clock.nowMs())
    for (const pending of this.#pendingPuts.splice(0)) {
      pending.timer.cancel()
      pending.reject(this.#closedError())
    }
    for (const wake of [...this.#eventWaiters]) wake()
    await this.store.close(isHandedOn)
  }

  onStop(callback: () => Promise<void>): void {
    this.#stopCallbacks.push(callback)
  }

  transaction(): ChannelTransaction {
    return new BatchTransaction(this)
  }

  lastPosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SourcePosition | undefined {
    return this.state.positions.get(source, file)
  }

  safePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SafePosition | undefined {
    return this.store.safePosition(source, file)
  }

  lastStamp(sink: string): Buffer | undefined {
    return this.state.lastStamps.get(sink)
  }

  async resumePrepared(sink: string): Promise<ResumedTake[]> {
    this.checkOpen()
    const resumed: ResumedTake[] = []
    for (const take of [...this.state.prepared.values()]) {
      if (take.sink !== sink || this.#attached.has(take.id)) continue
      this.#attached.add(take.id)
      const batches = await this.#loadAll(take.ranges)
      resumed.push({
        transaction: BatchTransaction.resumed(this, take, batches),
        batches,
        stamp: take.stamp,
      })
    }
    return resumed
  }

  async releasePrepared(sinksToKeep: ReadonlySet<string>): Promise<number> {
    const orphans = [...this.state.prepared.values()].filter((take) => !sinksToKeep.has(take.sink))
    for (const take of orphans) await this.rollbackTake(take.ranges, take)
    return orphans.length
  }

  waitForEvents(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.state.waiting > 0 || signal?.aborted || !this.#isOpen) {
      return Promise.resolve(this.state.waiting > 0)
    }
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel()
        signal?.removeEventListener('abort', wake)
        this.#eventWaiters.delete(wake)
        resolve(this.state.waiting > 0)
      }
      const timer = this.#clock.setTimer(timeoutMs, wake)
      signal?.addEventListener('abort', wake, { once: true })
      this.#eventWaiters.add(wake)
    })
  }

  // The methods of TransactionHost, called by transactions.

  checkOpen(): void {
    if (!this.#isOpen) throw this.#closedError()
  }

  /** Resolves when the batches are in the channel and, if it is a file channel, durable. */
  commitPuts(puts: readonly PutBatch[]): Promise<void> {
    if (this.#pendingPuts.length >= maxPendingPuts) return Promise.reject(this.#crowdedError())
    return new Promise<void>((resolve, reject) => {
      const pending: PendingPut = {
        puts,
        putMs: this.#clock.monotonicMs(),
        resolve,
        reject,
        timer: this.#clock.setTimer(this.#keepAliveMs, () => this.#expirePut(pending)),
      }
      this.#pendingPuts.push(pending)
      this.#admitPuts()
    })
  }

  /** Admits pending puts strictly in order, as long as there are slots for the next one. */
  #admitPuts(): void {
    for (;;) {
      const pending = this.#pendingPuts[0]
      if (pending === undefined) return
      try {
        const stored = this.#admit(pending)
        if (stored === undefined) return
        pending.resolve(stored)
      } catch (error) {
        pending.reject(error as Error)
      }
      pending.timer.cancel()
      this.#pendingPuts.shift()
    }
  }

  /**
   * Returns undefined while there are too few slots; otherwise resolves when the put is durable.
   */
  #admit({ puts, putMs }: PendingPut): Promise<void> | undefined {
    try {
      this.store.checkSpace()
    } catch (error) {
      this.counter.putFailed()
      throw error
    }
    const fresh = puts.flatMap((put) => this.#withoutKnown(put))
    let events = 0
    let byteSlots = 0
    for (const { batch } of fresh) {
      events += batch.count
      byteSlots += this.byteSlotsOf(batch)
    }
    if (!this.state.reserve(events, byteSlots)) return undefined
    const wasEmpty = this.size === 0
    const stored: StoredPut[] = []
    for (const { batch, position } of fresh) {
      const range = this.state.append(batch.count, position)
      if (range === undefined && position === undefined) continue
      stored.push({ range, batch, position, putMs })
    }
    if (wasEmpty) this.#movedMs = this.#clock.monotonicMs()
    return this.#makeDurable(stored)
  }

  async #makeDurable(stored: readonly StoredPut[]): Promise<void> {
    try {
      await this.store.put(stored)
    } catch (error) {
      this.counter.putFailed()
      for (const { range, batch, position } of stored) {
        this.state.retract(range, this.byteSlotsOf(batch), position)
      }
      this.count()
      throw error
    }
    for (const { range, batch, position } of stored) {
      this.state.makeAvailable(range, position)
      this.counter.EventPutSuccessCount += batch.count
    }
    this.count()
    if (this.state.waiting > 0) for (const wake of [...this.#eventWaiters]) wake()
  }

  /**
   * Returns the part of a put that the channel does not have yet; throws if bytes before it are
   * missing. Compares the events' own ends in the file, because interceptors and selectors may have
   * dropped events and moved bytes.
   */
  #withoutKnown(put: PutBatch): PutBatch[] {
    const { position, batch } = put
    if (position === undefined) return [put]
    const fit = fitPosition(this.state.appendedPositions.get(position.source, position), position)
    if (fit.kind === 'next') return [put]
    if (fit.kind === 'gap') {
      throw new AgentError(
        'POSITION_GAP',
        `channel ${this.name}: bytes of ${position.path} before offset ${position.start} were not put: the source reads them again`,
      )
    }
    if (fit.until >= position.end) return []
    let known = 0
    while (known < batch.count && batch.sourceEnd(known) <= fit.until) known++
    return [{ batch: batch.slice(known, batch.count), position: { ...position, start: fit.until } }]
  }

  #crowdedError(): AgentError {
    return new AgentError(
      'CHANNEL_FULL',
      `channel ${this.name} has no room, and ${maxPendingPuts} puts wait for some: its sinks are slower than its sources; wait for puts before putting more, or look at the sinks`,
    )
  }

  #expirePut(pending: PendingPut): void {
    this.#pendingPuts.splice(this.#pendingPuts.indexOf(pending), 1)
    const events = pending.puts.reduce((sum, { batch }) => sum + batch.count, 0)
    const [full, setting] =
      this.size + events > this.capacity
        ? [`${this.size} of ${this.capacity} events`, 'capacity']
        : [`${this.size} events use its byteCapacity`, 'byteCapacity']
    pending.reject(
      new AgentError(
        'CHANNEL_FULL',
        `channel ${this.name} is full (${full}): its sinks are slower than its sources; check the sinks or raise ${setting}`,
      ),
    )
    this.#admitPuts()
  }

  /**
   * Takes the events at the head, entry by entry, until a limit is reached; adds them to `into`.
   */
  async takeBatches(maxEvents: number, maxBytes: number, into: Range[]): Promise<EventBatch[]> {
    const batches: EventBatch[] = []
    let bytesLeft = maxBytes
    let eventsLeft = maxEvents
    while (eventsLeft > 0 && bytesLeft > 0 && this.state.head !== undefined) {
      const entry = this.store.entryHolding(this.state.head)
      const taken = this.state.take(eventsLeft, entry.until)!
      // Added before the first await, so that a rollback after a failed load returns these events.
      into.push(taken)
      const whole = entry.batch ?? (await this.store.load(entry))
      const batch = whole.slice(taken.from - entry.from, taken.until - entry.from)
      const fitting = countWithin(batch, bytesLeft, batches.length === 0)
      if (fitting < batch.count) {
        into.pop()
        const cut = taken.from + fitting
        this.state.giveBack([{ from: cut, until: taken.until }])
        if (fitting > 0) into.push({ from: taken.from, until: cut })
      }
      if (fitting > 0) batches.push(batch.slice(0, fitting))
      if (fitting < batch.count) break
      eventsLeft -= batch.count
      bytesLeft -= batch.bodyBytes() + batch.count * eventOverheadBytes
    }
    return batches
  }

  async prepareTake(sink: string, ranges: readonly Range[], stamp: Buffer): Promise<PreparedTake> {
    // Before the state has the take: a repair writes a snapshot of the state.
    await this.store.makeWritable()
    const take = { id: this.state.nextPreparedId, sink, ranges: joined(ranges), stamp }
    const lastStamp = this.state.lastStamps.get(sink)
    this.state.prepare(take)
    this.#attached.add(take.id)
    try {
      await this.store.prepare(take)
    } catch (error) {
      // A take whose record is not durable must not be sent, nor resumed.
      this.#attached.delete(take.id)
      this.state.unprepare(take, lastStamp)
      throw error
    }
    return take
  }

  commitTake(
    ranges: readonly Range[],
    byteSlots: number,
    prepared: PreparedTake | undefined,
  ): void {
    const all = joined(ranges)
    if (prepared !== undefined) this.#settle(prepared)
    this.state.commitTake(all, byteSlots)
    this.store.take(all, prepared?.id ?? 0)
    for (const { from, until } of all) this.counter.EventTakeSuccessCount += until - from
    this.#movedMs = this.#clock.monotonicMs()
    this.count()
    this.#admitPuts()
  }

  async rollbackTake(ranges: readonly Range[], prepared: PreparedTake | undefined): Promise<void> {
    if (prepared !== undefined) {
      this.#settle(prepared)
      this.store.release(prepared.id)
    }
    this.state.giveBack(ranges)
    if (this.state.waiting > 0) for (const wake of [...this.#eventWaiters]) wake()
  }

  ageOf([oldest]: readonly Range[]): number {
    return oldest === undefined ? 0 : this.#ageOf(oldest.from)
  }

  /**
   * For monitoring, which must not fail: 0 for an event that a failed put or a stop is removing.
   */
  #ageOf(event: number): number {
    const nowMs = this.#clock.monotonicMs()
    return nowMs - (this.store.putMsOf(event) ?? nowMs)
  }

  detachTake(prepared: PreparedTake): void {
    this.#attached.delete(prepared.id)
  }

  count(): void {
    this.counter.ChannelSize = this.size
    this.counter.ChannelFillPercentage = (this.size * 100) / this.capacity
  }

  #settle(prepared: PreparedTake): void {
    this.state.settle(prepared.id)
    this.#attached.delete(prepared.id)
  }

  async #loadAll(ranges: readonly Range[]): Promise<EventBatch[]> {
    const batches: EventBatch[] = []
    for (const { from, until } of ranges) {
      for (let at = from; at < until; ) {
        const entry = this.store.entryHolding(at)
        const end = Math.min(entry.until, until)
        const batch = entry.batch ?? (await this.store.load(entry))
        batches.push(batch.slice(at - entry.from, end - entry.from))
        at = end
      }
    }
    return batches
  }

  #closedError(): AgentError {
    return new AgentError('CHANNEL_CLOSED', `channel ${this.name} is not open`)
  }
}

/**
 * Bytes that a sink is expected to send besides each body; counted against `maxBytes` of a take.
 */
const eventOverheadBytes = 24

/** Returns how many of the batch's first events fit; with `atLeastOne`, never 0. */
function countWithin(batch: EventBatch, maxBytes: number, atLeastOne: boolean): number {
  if (maxBytes === Number.POSITIVE_INFINITY) return batch.count
  let left = maxBytes
  for (let index = 0; index < batch.count; index++) {
    left -= batch.end(index) - batch.start(index) + eventOverheadBytes
    if (left < 0) return Math.max(index, atLeastOne ? 1 : 0)
  }
  return batch.count
}

/** Joins adjacent ranges. */
function joined(ranges: readonly Range[]): Range[] {
  const all: Range[] = []
  for (const range of ranges) {
    const last = all.at(-1)
    if (last?.until === range.from) all[all.length - 1] = { from: last.from, until: range.until }
    else all.push(range)
  }
  return all
}
