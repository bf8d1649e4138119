// The state machine of every channel, without I/O: which events wait, which are taken, how many
// slots are free, what each source has put and what each sink has prepared. Events are numbers
// here; the store keeps their bytes. Recovery of a file channel calls the same methods as live
// traffic.
//
//   put        reserve -> append (events get numbers) -> makeAvailable (durable) | retract (failed)
//   take       take -> [prepare] -> commitTake | giveBack
//
// Slots, as in Flume: a committed put holds one slot per event until the take of the event commits.
//
// Invariants, asserted: events in = events out + events held; waiting events are held; a put never
// exceeds the capacity (only recovery may, after the capacity was lowered); the position of an
// appended put never goes back, except in `retract`.

import { assert } from '../../protocol/runtime/assert.ts'
import { type Range, RangeSet } from './rangeSet.ts'
import { isBehind, type SourcePosition, SourcePositions } from './sourcePosition.ts'

/** A take whose events the sink may have sent: after a crash the same take is handed out again. */
export interface PreparedTake {
  readonly id: number
  readonly sink: string
  readonly ranges: readonly Range[]
  /** The sink's own data, with which it sends identical bytes again; opaque here. */
  readonly stamp: Buffer
}

export class ChannelState {
  readonly capacity: number
  readonly byteSlots: number
  /** Positions of durable puts. */
  readonly positions = new SourcePositions()
  /** Positions of appended puts, durable or pending: the next put must follow them. */
  readonly appendedPositions = new SourcePositions()
  /** Prepared takes by id, oldest first. */
  readonly prepared = new Map<number, PreparedTake>()
  /** The newest stamp of each sink, kept also after its take is committed. */
  readonly lastStamps = new Map<string, Buffer>()
  nextEvent = 0
  nextPreparedId = 1
  #reserved = 0
  #usedByteSlots = 0
  /** Events that were appended or recovered, and events that were taken or retracted. */
  #eventsIn = 0
  #eventsOut = 0
  /** Events that can be taken. */
  readonly #waiting = new RangeSet()
  /** Events in the channel: waiting, taken, or not durable yet. */
  readonly #held = new RangeSet()

  constructor(capacity: number, byteSlots = Number.MAX_SAFE_INTEGER) {
    this.capacity = capacity
    this.byteSlots = byteSlots
  }

  /** Number of events in the channel, including taken events whose take is not committed. */
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

  /** The events in the channel. */
  get held(): readonly Range[] {
    return this.#held.ranges
  }

  /** Returns the parts of a range that are still in the channel. */
  heldOf(range: Range): Range[] {
    return this.#held.intersect(range)
  }

  /** Reserves slots for a put; returns false if there are too few. */
  reserve(events: number, byteSlots = 0): boolean {
    if (this.#held.size + this.#reserved + events > this.capacity) return false
    if (this.#usedByteSlots + byteSlots > this.byteSlots) return false
    this.#reserved += events
    this.#usedByteSlots += byteSlots
    return true
  }

  /** Frees reserved slots that no event uses. */
  unreserve(events: number, byteSlots = 0): void {
    assert(events <= this.#reserved, 'only reserved slots are freed')
    this.#reserved -= events
    this.#usedByteSlots -= byteSlots
  }

  /**
   * Turns reserved slots into events and returns their numbers; undefined for a count of 0. The
   * events can be taken after `makeAvailable`; `retract` removes them.
   */
  append(count: number, position: SourcePosition | undefined): Range | undefined {
    assert(count <= this.#reserved, 'slots are reserved before events are appended')
    this.#reserved -= count
    if (position !== undefined) this.appendedPositions.advance(position)
    if (count === 0) return undefined
    const range = { from: this.nextEvent, until: this.nextEvent + count }
    this.nextEvent = range.until
    this.#held.add(range)
    this.#eventsIn += count
    assert(this.#held.size + this.#reserved <= this.capacity, 'a put never exceeds the capacity')
    this.#checkBalance()
    return range
  }

  /** Adds events of a recovered log; they get slots regardless of the current capacity. */
  restore(range: Range, position: SourcePosition | undefined): void {
    assert(range.from >= this.nextEvent, 'event numbers increase')
    if (position !== undefined) this.restorePosition(position)
    if (range.from === range.until) return
    this.nextEvent = range.until
    this.#held.add(range)
    this.#waiting.add(range)
    this.#eventsIn += range.until - range.from
    this.#checkBalance()
  }

  restorePosition(position: SourcePosition): void {
    this.positions.set(position)
    this.appendedPositions.set(position)
  }

  /** A put is durable: its events can be taken, its position counts. */
  makeAvailable(range: Range | undefined, position: SourcePosition | undefined): void {
    if (range !== undefined) this.#waiting.add(range)
    if (position === undefined) return
    // Puts that became durable together may be reported in any order.
    const durable = this.positions.get(position.source, position)
    if (durable === undefined || isBehind(durable, position)) this.positions.set(position)
  }

  /**
   * A put did not become durable, nor did any after it: removes its events and returns the position
   * of the file to the durable one. The numbers of the events are not reused.
   */
  retract(range: Range | undefined, byteSlots: number, position: SourcePosition | undefined): void {
    this.#usedByteSlots -= byteSlots
    if (range !== undefined) {
      this.#held.remove(range)
      this.#eventsOut += range.until - range.from
      this.#checkBalance()
    }
    if (position === undefined) return
    const durable = this.positions.get(position.source, position)
    if (durable === undefined) this.appendedPositions.delete(position)
    else this.appendedPositions.set(durable)
  }

  /** Takes the lowest waiting events: at most `max`, and none at or above `below`. */
  take(max: number, below = Number.MAX_SAFE_INTEGER): Range | undefined {
    return this.#waiting.takeFirst(max, below)
  }

  /** Number of the lowest waiting event. */
  get head(): number | undefined {
    return this.#waiting.first()
  }

  /** Takes exactly these events, to recover a prepared take. */
  takeExactly(ranges: readonly Range[]): void {
    for (const range of ranges) this.#waiting.remove(range)
  }

  /** Returns taken events to the waiting ones, in their original order. */
  giveBack(ranges: readonly Range[]): void {
    for (const range of ranges) this.#waiting.add(range)
    this.#checkBalance()
  }

  /** Removes taken events from the channel. */
  commitTake(ranges: readonly Range[], byteSlots = 0): void {
    for (const range of ranges) {
      this.#held.remove(range)
      this.#eventsOut += range.until - range.from
    }
    this.#usedByteSlots -= byteSlots
    assert(this.#usedByteSlots >= 0, 'byte slots are freed once')
    this.#checkBalance()
  }

  /** A prepared take did not become durable: restores the state of its sink. */
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

  /** A prepared take was committed or rolled back: it is not handed out again. */
  settle(id: number): void {
    assert(this.prepared.delete(id), 'only a prepared take is settled')
  }

  #checkBalance(): void {
    assert(
      this.#eventsIn === this.#eventsOut + this.#held.size,
      'every event that was put has left the channel or is held by it',
    )
    assert(this.#waiting.size <= this.#held.size, 'an event that can be taken is in the channel')
  }
}
