// The position up to which a memory channel's sinks have committed each source file: a source may note it,
// because everything before it has left the channel. Puts are remembered in their order, and a position
// counts once every event put before it has left. Keeps no event's bytes.

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
  /** The put's events; empty for a position without events, which follows those put before it. */
  readonly from: number
  readonly until: number
  readonly position: SourcePosition
  /** The batch's: event `from + n` ends at place `first + n`. */
  readonly ends: SourceEnds | undefined
  readonly ranges: Uint32Array
  readonly first: number
}

/** Below this many passed positions the array is not moved together. */
const compactAt = 1024

export class TakenPositions {
  #waiting: WaitingPosition[] = []
  /** Positions before this index have passed. */
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

  /** Every event below `lowestHeld` has left the channel. */
  advance(lowestHeld: number): void {
    this.#lowestHeld = lowestHeld
    for (;;) {
      const waiting = this.#waiting[this.#head]
      if (waiting === undefined || waiting.until > lowestHeld) break
      this.#safe.set(waiting.position)
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

  /** How many of the events in the channel their sources can read again. */
  rereadable(state: ChannelState): number {
    let events = 0
    for (let at = this.#head; at < this.#waiting.length; at++) {
      const { from, until, position } = this.#waiting[at]!
      const newest = state.positions.get(position.source, position)
      // A file that was truncated since has the bytes no more.
      if (from === until || newest?.generation !== position.generation) continue
      for (const held of state.heldOf({ from, until })) events += held.until - held.from
    }
    return events
  }

  /** The part of the file's oldest waiting put that has left. */
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
