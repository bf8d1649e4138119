// The state machine of every channel, without I/O: which events wait, which are taken, how many
// slots are free, what each source has put and each sink has prepared. Events are numbers here; the
// channels keep their bytes. Recovery of a file channel calls the same methods as live traffic.
//
//   put        reserve slots -> append (events have numbers) -> makeAvailable (durable)
//   take       take -> [prepare] -> commitTake | giveBack
//
// Slots (Flume): a committed put holds one for each event until the take of it commits.

import { assert } from '../../protocol/runtime/assert.ts'
import { type Range, RangeSet } from './rangeSet.ts'
import { type SourcePosition, SourcePositions } from './sourcePosition.ts'

/** A take whose events the sink may have sent: after a crash the same take is repeated. */
export interface PreparedTake {
  readonly id: number
  readonly sink: string
  readonly ranges: readonly Range[]
  /** The sink's note for sending identical bytes again; opaque here. */
  readonly stamp: Buffer
}

export class ChannelState {
  readonly capacity: number
  readonly byteSlots: number
  /** Positions of durable puts. */
  readonly positions = new SourcePositions()
  /** Positions of appended puts, durable or pending: the next put must follow them. */
  readonly appendedPositions = new SourcePositions()
  /** In the order in which they were prepared. */
  readonly prepared = new Map<number, PreparedTake>()
  /** The newest stamp of each sink, kept after its take is committed. */
  readonly lastStamps = new Map<string, Buffer>()
  nextEvent = 0
  nextPreparedId = 1
  #reserved = 0
  #usedByteSlots = 0
  /** Events that a take may have. */
  readonly #waiting = new RangeSet()
  /** Events in the channel: waiting, taken, or not durable yet. */
  readonly #held = new RangeSet()

  constructor(capacity: number, byteSlots = Number.MAX_SAFE_INTEGER) {
    this.capacity = capacity
    this.byteSlots = byteSlots
  }

  /** Events in the channel, the taken and uncommitted ones included. */
  get size(): number {
    return this.#held.size
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get usedByteSlots(): number {
    return this.#usedByteSlots
  }

  /** Every event below this number has left the channel. */
  get lowestHeld(): number {
    return this.#held.first() ?? this.nextEvent
  }

  /** Which of the range's events are still in the channel. */
  heldOf(range: Range): Range[] {
    return this.#held.intersect(range)
  }

  /** Reserves slots for a put; false when there are too few. */
  reserve(events: number, byteSlots = 0): boolean {
    if (this.#held.size + this.#reserved + events > this.capacity) return false
    if (this.#usedByteSlots + byteSlots > this.byteSlots) return false
    this.#reserved += events
    this.#usedByteSlots += byteSlots
    return true
  }

  /** Returns reserved slots that no event uses. */
  unreserve(events: number, byteSlots = 0): void {
    assert(events <= this.#reserved, 'only reserved slots are given back')
    this.#reserved -= events
    this.#usedByteSlots -= byteSlots
  }

  /**
   * Turns reserved slots into events, none for a count of 0. They wait only once `makeAvailable` is
   * called for them; `retract` undoes it.
   */
  append(count: number, position: SourcePosition | undefined): Range | undefined {
    assert(count <= this.#reserved, 'slots are reserved before events are appended')
    this.#reserved -= count
    if (position !== undefined) this.appendedPositions.set(position)
    if (count === 0) return undefined
    const range = { from: this.nextEvent, until: this.nextEvent + count }
    this.nextEvent = range.until
    this.#held.add(range)
    return range
  }

  /** Events of a recovered log: they have slots regardless of the current capacity. */
  restore(range: Range, position: SourcePosition | undefined): void {
    assert(range.from >= this.nextEvent, 'event numbers rise')
    if (position !== undefined) this.restorePosition(position)
    if (range.from === range.until) return
    this.nextEvent = range.until
    this.#held.add(range)
    this.#waiting.add(range)
  }

  restorePosition(position: SourcePosition): void {
    this.positions.set(position)
    this.appendedPositions.set(position)
  }

  /** A put is durable: its events wait, its position counts. */
  makeAvailable(range: Range | undefined, position: SourcePosition | undefined): void {
    if (range !== undefined) this.#waiting.add(range)
    if (position === undefined) return
    // Puts that became durable together may be reported in another order.
    const durable = this.positions.get(position.source, position)
    if (durable === undefined || isBehind(durable, position)) this.positions.set(position)
  }

  /**
   * A put did not become durable, and so none after it: its events are gone, the file goes on from
   * what is durable. Their numbers are not given out again.
   */
  retract(range: Range | undefined, byteSlots: number, position: SourcePosition | undefined): void {
    this.#usedByteSlots -= byteSlots
    if (range !== undefined) this.#held.remove(range)
    if (position === undefined) return
    const durable = this.positions.get(position.source, position)
    if (durable === undefined) this.appendedPositions.delete(position)
    else this.appendedPositions.set(durable)
  }

  /** The lowest waiting events: at most `max`, and none at or above `below`. */
  take(max: number, below = Number.MAX_SAFE_INTEGER): Range | undefined {
    return this.#waiting.takeFirst(max, below)
  }

  /** The lowest waiting event's number. */
  get head(): number | undefined {
    return this.#waiting.first()
  }

  /** Takes exactly these events: recovery of a prepared take. */
  takeExactly(ranges: readonly Range[]): void {
    for (const range of ranges) this.#waiting.remove(range)
  }

  /** Taken events wait again, each at its old place: at the head, in the original order. */
  giveBack(ranges: readonly Range[]): void {
    for (const range of ranges) this.#waiting.add(range)
  }

  /** Taken events leave the channel. */
  commitTake(ranges: readonly Range[], byteSlots = 0): void {
    for (const range of ranges) this.#held.remove(range)
    this.#usedByteSlots -= byteSlots
    assert(this.#usedByteSlots >= 0, 'byte slots are released once')
  }

  /** The prepared take did not become durable: its sink stands where it stood. */
  unprepare(take: PreparedTake, lastStamp: Buffer | undefined): void {
    this.settle(take.id)
    if (lastStamp === undefined) this.lastStamps.delete(take.sink)
    else this.lastStamps.set(take.sink, lastStamp)
  }

  prepare(take: PreparedTake): void {
    assert(!this.prepared.has(take.id), 'a take is prepared once')
    this.prepared.set(take.id, take)
    this.lastStamps.set(take.sink, take.stamp)
    this.nextPreparedId = Math.max(this.nextPreparedId, take.id + 1)
  }

  /** The prepared take is committed or rolled back: it will not be handed out again. */
  settle(id: number): void {
    assert(this.prepared.delete(id), 'only a prepared take is settled')
  }
}

function isBehind(position: SourcePosition, other: SourcePosition): boolean {
  if (position.generation !== other.generation) return position.generation < other.generation
  return position.end < other.end
}
