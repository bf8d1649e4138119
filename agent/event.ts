// A batch of events: one buffer and the ranges of the bodies in it. An event is a slice of the
// buffer into which it was read. Nothing on the hot path may copy bodies or create an object per
// event. Headers that all events of a batch share are stored once.

import { assert } from '../protocol/runtime/assert.ts'

/** Header names and values of events; immutable once they belong to a batch. */
export type Headers = Readonly<Record<string, string>>

export const noHeaders: Headers = Object.freeze({})

/**
 * The offset in the source's file after each event of a batch, line end included; shared by all
 * slices. Interceptors and selectors preserve it: a channel compares it with its last position to
 * drop events that it already has. Either, for a batch whose buffer is a copy of the file, the
 * offset of the buffer's first byte and the offset after the last event in `ranges`, where any
 * other event ends at the start of the next one; or one offset for each event, indexed like
 * `ranges`.
 */
export type SourceEnds = { readonly origin: number; readonly end: number } | Float64Array

/** Returns the offset after one event, by its index in `ranges`; Infinity if unknown. */
export function sourceEndAt(
  sourceEnds: SourceEnds | undefined,
  ranges: Uint32Array,
  at: number,
): number {
  if (sourceEnds === undefined) return Number.POSITIVE_INFINITY
  if (sourceEnds instanceof Float64Array) return sourceEnds[at]!
  const next = (at + 1) * 2
  return next < ranges.length ? sourceEnds.origin + ranges[next]! : sourceEnds.end
}

export class EventBatch {
  /** Contains every body; there may be other bytes between them, such as line ends. */
  readonly bytes: Buffer
  /** `[start, end)` in `bytes` of each event; shared by all slices of a batch. */
  readonly ranges: Uint32Array
  /** Index of the batch's first event in `ranges`, and number of events. */
  readonly first: number
  readonly count: number
  /** Headers of every event. */
  readonly headers: Headers
  /** Headers of single events, which override `headers`; indexed like `ranges`. */
  readonly eventHeaders: readonly (Headers | undefined)[] | undefined
  /**
   * Where the events end in the source's file; undefined for a source that cannot be read again.
   */
  readonly sourceEnds: SourceEnds | undefined

  constructor(
    bytes: Buffer,
    ranges: Uint32Array,
    count: number,
    headers: Headers = noHeaders,
    eventHeaders: readonly (Headers | undefined)[] | undefined = undefined,
    first = 0,
    sourceEnds: SourceEnds | undefined = undefined,
  ) {
    assert((first + count) * 2 <= ranges.length, 'a batch has no more events than ranges')
    assert(
      !(sourceEnds instanceof Float64Array) || first + count <= sourceEnds.length,
      'sourceEnds has an offset for every event of the batch',
    )
    this.bytes = bytes
    this.ranges = ranges
    this.first = first
    this.count = count
    this.headers = headers
    this.eventHeaders = eventHeaders
    this.sourceEnds = sourceEnds
  }

  /** Index in `bytes` of the first byte of event `index` (from 0). */
  start(index: number): number {
    return this.ranges[(this.first + index) * 2]!
  }

  /** Index in `bytes` after the last byte of event `index` (from 0). */
  end(index: number): number {
    return this.ranges[(this.first + index) * 2 + 1]!
  }

  /** A view of one body; not for the hot path. */
  body(index: number): Buffer {
    return this.bytes.subarray(this.start(index), this.end(index))
  }

  /**
   * Offset in the source's file after event `index`; Infinity if unknown, so that a channel rather
   * accepts the event twice than drops it.
   */
  sourceEnd(index: number): number {
    return sourceEndAt(this.sourceEnds, this.ranges, this.first + index)
  }

  /** All headers of one event. */
  headersOf(index: number): Headers {
    const own = this.eventHeaders?.[this.first + index]
    return own === undefined ? this.headers : { ...this.headers, ...own }
  }

  /** The events `[from, until)`, as a view that copies nothing. */
  slice(from: number, until: number): EventBatch {
    assert(0 <= from && from <= until && until <= this.count, 'a slice lies within its batch')
    if (from === 0 && until === this.count) return this
    const { bytes, ranges, headers, eventHeaders, sourceEnds } = this
    const first = this.first + from
    return new EventBatch(bytes, ranges, until - from, headers, eventHeaders, first, sourceEnds)
  }

  /**
   * The events at these indexes, in this order, without copying bodies; for filters and selectors.
   */
  select(indexes: readonly number[]): EventBatch {
    const { first, eventHeaders, sourceEnds } = this
    const ranges = new Uint32Array(indexes.length * 2)
    indexes.forEach((index, at) => {
      ranges[at * 2] = this.start(index)
      ranges[at * 2 + 1] = this.end(index)
    })
    const own = eventHeaders && indexes.map((index) => eventHeaders[first + index])
    const ends = sourceEnds && Float64Array.from(indexes, (index) => this.sourceEnd(index))
    return new EventBatch(this.bytes, ranges, indexes.length, this.headers, own, 0, ends)
  }

  /** The same events with new bodies, one for each; for interceptors that change bodies. */
  withBodies(bodies: readonly Uint8Array[]): EventBatch {
    const { first, count, eventHeaders, sourceEnds } = this
    assert(bodies.length === count, 'every event gets one body')
    const { bytes, ranges } = batchOf(bodies)
    const own = eventHeaders?.slice(first, first + count)
    const ends = sourceEnds && Float64Array.from({ length: count }, (_, n) => this.sourceEnd(n))
    return new EventBatch(bytes, ranges, count, this.headers, own, 0, ends)
  }

  /** The same events with other headers. */
  withHeaders(
    headers: Headers,
    eventHeaders: readonly (Headers | undefined)[] | undefined = this.eventHeaders,
  ): EventBatch {
    const { bytes, ranges, count, first, sourceEnds } = this
    return new EventBatch(bytes, ranges, count, headers, eventHeaders, first, sourceEnds)
  }

  /** Total size of the bodies, in bytes. */
  bodyBytes(): number {
    const { ranges } = this
    let sum = 0
    for (let at = this.first * 2, end = at + this.count * 2; at < end; at += 2) {
      sum += ranges[at + 1]! - ranges[at]!
    }
    return sum
  }
}

/**
 * Returns a batch of separate bodies, copied into one buffer; for sources that get single events.
 */
export function batchOf(
  bodies: readonly Uint8Array[],
  headers: Headers = noHeaders,
  eventHeaders?: readonly (Headers | undefined)[],
): EventBatch {
  const ranges = new Uint32Array(bodies.length * 2)
  let at = 0
  bodies.forEach((body, index) => {
    ranges[index * 2] = at
    at += body.length
    ranges[index * 2 + 1] = at
  })
  return new EventBatch(Buffer.concat(bodies), ranges, bodies.length, headers, eventHeaders)
}
