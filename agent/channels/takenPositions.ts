// The position up to which the sinks of a memory channel have committed each source file. A source
// may record it, because every event before it has left the channel: a position counts once all
// events put before it have left. Holds no event bytes.

import { assert } from '../../protocol/runtime/assert.ts'
import { type EventBatch, type SourceEnds, sourceEndAt } from '../event.ts'
import type { ChannelState } from './channelState.ts'
import type { Range } from './rangeSet.ts'
import {
  type FileIdentity,
  type Fingerprint,
  noFingerprint,
  type SafePosition,
  type SourcePosition,
  SourcePositions,
} from './sourcePosition.ts'

interface WaitingPosition {
  /** Numbers of the put's events; an empty range for a position without events. */
  readonly from: number
  readonly until: number
  readonly position: SourcePosition
  /** Of the batch: the end of event `from + n` is at index `first + n`. */
  readonly ends: SourceEnds | undefined
  readonly ranges: Uint32Array
  readonly first: number
}

/** Number of passed positions from which the array is compacted. */
const compactAt = 1024

export class TakenPositions {
  #waiting: WaitingPosition[] = []
  /** Positions before this index are passed: all their events have left. */
  #head = 0
  #nextEvent = 0
  #lowestHeld = 0
  readonly #safe = new SourcePositions()

  put(range: Range | undefined, batch: EventBatch, position: SourcePosition): void {
    const from = range?.from ?? this.#nextEvent
    const until = range?.until ?? from
    this.#nextEvent = until
    const { sourceEnds: ends, ranges, first } = batch
    this.#waiting.push({ from, until, position, ends, ranges, first })
  }

  /** Called when every event below `lowestHeld` has left the channel. */
  advance(lowestHeld: number): void {
    assert(lowestHeld >= this.#lowestHeld, 'an event that has left never returns')
    this.#lowestHeld = lowestHeld
    for (;;) {
      const waiting = this.#waiting[this.#head]
      if (waiting === undefined || waiting.until > lowestHeld) break
      this.#safe.advance(waiting.position)
      this.#head++
    }
    if (this.#head >= compactAt && this.#head * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
  }

  safePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SafePosition | undefined {
    const passed = this.#safe.get(source, file)
    const partial = this.#partial(source, file)
    if (partial === undefined) return passed && { ...passed, fingerprintEnd: passed.end }
    const isSame = passed?.generation === partial.generation
    const fingerprint: Fingerprint = isSame ? passed.fingerprint : noFingerprint
    return { ...partial, fingerprint, fingerprintEnd: isSame ? passed.end : 0 }
  }

  /** Returns the number of events in the channel that their sources can read again. */
  rereadable(state: ChannelState): number {
    let events = 0
    for (let at = this.#head; at < this.#waiting.length; at++) {
      const { from, until, position } = this.#waiting[at]!
      const newest = state.positions.get(position.source, position)
      // A file that was truncated since no longer has the bytes.
      if (from === until || newest?.generation !== position.generation) continue
      for (const held of state.heldOf({ from, until })) events += held.until - held.from
    }
    return events
  }

  /** The end of the events that have left, in the channel's oldest put, if it is of this file. */
  #partial(
    source: string,
    { device, inode }: Pick<FileIdentity, 'device' | 'inode'>,
  ): { generation: number; end: number } | undefined {
    const waiting = this.#waiting[this.#head]
    if (waiting?.ends === undefined || waiting.from >= this.#lowestHeld) return undefined
    const { position, ends, ranges, first, from } = waiting
    if (position.source !== source || position.device !== device || position.inode !== inode)
      return undefined
    const end = sourceEndAt(ends, ranges, first + this.#lowestHeld - from - 1)
    return { generation: position.generation, end }
  }
}
