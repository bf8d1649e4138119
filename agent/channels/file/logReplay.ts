// Replays the records of a file channel's log into a ChannelState, without I/O. Returns the place
// of each complete put. The records of an incomplete put transaction must never count.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { ChannelState, PreparedTake } from '../channelState.ts'
import type { Range } from '../rangeSet.ts'
import type { LogRecord, SnapshotContents } from './logRecord.ts'

/** A recovered put; `place` is the value that the caller passed with its record. */
export interface RecoveredPut<Place> {
  readonly range: Range
  readonly place: Place
}

type Put = Extract<LogRecord, { type: 'put' }>

export class LogReplay<Place> {
  readonly #state: ChannelState
  /** Records of a put transaction whose last record was not read yet. */
  #openPut: { record: Put; place: Place }[] = []
  /**
   * Prepared takes with events whose log file was deleted, which happens after their commit only.
   */
  readonly #committed = new Set<number>()

  constructor(state: ChannelState) {
    this.#state = state
  }

  /** Applies one record; returns the puts of the transaction that it completes. */
  apply(record: LogRecord, place: Place): RecoveredPut<Place>[] {
    if (record.type === 'put') return this.#put(record, place)
    this.#openPut = []
    const state = this.#state
    if (record.type === 'snapshot') {
      state.nextEvent = Math.max(state.nextEvent, record.nextEvent)
      state.nextPreparedId = Math.max(state.nextPreparedId, record.nextPreparedId)
      for (const position of record.positions) state.restorePosition(position)
      for (const [sink, stamp] of record.lastStamps) state.lastStamps.set(sink, stamp)
      if (record.contents !== undefined) this.#restrict(record.contents)
    } else if (record.type === 'prepare') {
      this.#prepare(record.take)
    } else if (record.type === 'take') {
      const ranges = this.#held(record.ranges)
      if (state.prepared.has(record.preparedId)) state.settle(record.preparedId)
      else state.takeExactly(ranges)
      state.commitTake(ranges)
    } else {
      const take = state.prepared.get(record.preparedId)
      if (take !== undefined) this.#release(take)
    }
    return []
  }

  /**
   * Completes the replay: commits takes whose records are missing. On a full disk a log file may be
   * deleted before the record of the take that drained it is durable.
   */
  finish(): void {
    for (const { id, ranges } of [...this.#state.prepared.values()]) {
      if (!this.#committed.has(id)) continue
      this.#state.settle(id)
      this.#state.commitTake(ranges)
    }
  }

  #put(record: Put, place: Place): RecoveredPut<Place>[] {
    this.#openPut.push({ record, place })
    if (!record.isLast) return []
    const puts = this.#openPut
    this.#openPut = []
    return puts.flatMap((put) => {
      const { range, position } = put.record
      this.#state.restore(range, position)
      return range.from === range.until ? [] : [{ range, place: put.place }]
    })
  }

  #prepare(take: PreparedTake): void {
    const ranges = this.#held(take.ranges)
    if (countOf(ranges) < countOf(take.ranges)) this.#committed.add(take.id)
    this.#state.takeExactly(ranges)
    this.#state.prepare({ ...take, ranges })
  }

  #release(take: PreparedTake): void {
    this.#state.settle(take.id)
    this.#state.giveBack(take.ranges)
  }

  /** Brings what was read so far to a snapshot: files with takes and releases may be deleted. */
  #restrict({ held, prepared }: SnapshotContents): void {
    const state = this.#state
    const ids = new Set(prepared.map(({ id }) => id))
    for (const take of [...state.prepared.values()]) if (!ids.has(take.id)) this.#release(take)
    const end = { from: state.nextEvent, until: state.nextEvent }
    let from = 0
    for (const next of [...held, end]) {
      const gone = state.heldOf({ from, until: next.from })
      state.takeExactly(gone)
      state.commitTake(gone)
      from = next.until
    }
    for (const take of prepared) if (!state.prepared.has(take.id)) this.#prepare(take)
  }

  #held(ranges: readonly Range[]): Range[] {
    return ranges.flatMap((range) => {
      assert(range.until <= this.#state.nextEvent, 'events are put before they are taken')
      return this.#state.heldOf(range)
    })
  }
}

function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { from, until }) => sum + until - from, 0)
}
