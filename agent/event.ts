// A batch of events as one buffer and the places in it. An event is a slice of the buffer in which
// it was read, so nothing on the hot path may copy bodies or make an object for an event. Headers
// that all events of a batch share are kept once.

import { assert } from '../protocol/runtime/assert.ts'

/** Header names and values of events; never changed once it belongs to a batch. */
export type Headers = Readonly<Record<string, string>>

export const noHeaders: Headers = Object.freeze({})

export class EventBatch {
  /** Holds every body. Other bytes may lie between them (line ends). */
  readonly bytes: Buffer
  /** `[start, end)` in `bytes` of one event after another; shared by all slices of a batch. */
  readonly ranges: Uint32Array
  /** The batch's first event within `ranges`, and how many there are. */
  readonly first: number
  readonly count: number
  /** Headers of every event. */
  readonly headers: Headers
  /** What single events have beside `headers`, which it overrides; indexed as `ranges` is. */
  readonly eventHeaders: readonly (Headers | undefined)[] | undefined

  constructor(
    bytes: Buffer,
    ranges: Uint32Array,
    count: number,
    headers: Headers = noHeaders,
    eventHeaders: readonly (Headers | undefined)[] | undefined = undefined,
    first = 0,
  ) {
    assert((first + count) * 2 <= ranges.length, 'a batch has no more events than ranges')
    this.bytes = bytes
    this.ranges = ranges
    this.first = first
    this.count = count
    this.headers = headers
    this.eventHeaders = eventHeaders
  }

  /** Index in `bytes` of the first byte of event `index` (from 0). */
  start(index: number): number {
    return this.ranges[(this.first + index) * 2]!
  }

  /** Index in `bytes` after the last byte of event `index`. */
  end(index: number): number {
    return this.ranges[(this.first + index) * 2 + 1]!
  }

  /** A view of one body; for the cold paths. */
  body(index: number): Buffer {
    return this.bytes.subarray(this.start(index), this.end(index))
  }

  /** All headers of one event. */
  headersOf(index: number): Headers {
    const own = this.eventHeaders?.[this.first + index]
    return own === undefined ? this.headers : { ...this.headers, ...own }
  }

  /** The events `[from, until)`: a view that shares everything with this batch. */
  slice(from: number, until: number): EventBatch {
    assert(0 <= from && from <= until && until <= this.count, 'a slice lies within its batch')
    if (from === 0 && until === this.count) return this
    const { bytes, ranges, headers, eventHeaders } = this
    return new EventBatch(bytes, ranges, until - from, headers, eventHeaders, this.first + from)
  }

  /** The same events with other headers. */
  withHeaders(
    headers: Headers,
    eventHeaders: readonly (Headers | undefined)[] | undefined = this.eventHeaders,
  ): EventBatch {
    return new EventBatch(this.bytes, this.ranges, this.count, headers, eventHeaders, this.first)
  }

  /** Bytes of all bodies together. */
  bodyBytes(): number {
    const { ranges } = this
    let sum = 0
    for (let at = this.first * 2, end = at + this.count * 2; at < end; at += 2) {
      sum += ranges[at + 1]! - ranges[at]!
    }
    return sum
  }
}

/** A batch of separate bodies, copied into one buffer: for sources that get events one by one. */
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
