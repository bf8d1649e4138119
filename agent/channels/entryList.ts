// The stored batches of a channel, ordered by event number. Finds the batch of an event by binary
// search; batches are dropped at the front.

import { assert } from '../../protocol/runtime/assert.ts'
import type { EventBatch } from '../event.ts'

/** One batch as it was put: the events numbered `[from, until)`. */
export interface Entry {
  readonly from: number
  readonly until: number
  /** Monotonic time of the put; of the channel's start for recovered events. */
  readonly putMs: number
  /** Undefined if its bytes are only on disk, or if all its events have left. */
  batch: EventBatch | undefined
}

/** Number of dropped entries from which the array is compacted. */
const compactAt = 1024

export class EntryList<E extends Entry> {
  #entries: E[] = []
  /** Entries before this index have been dropped. */
  #head = 0

  get length(): number {
    return this.#entries.length - this.#head
  }

  push(entry: E): void {
    const last = this.#entries.at(-1)
    assert(last === undefined || last.until <= entry.from, 'entries are pushed in order')
    this.#entries.push(entry)
  }

  /** Returns the entry of an event, which must be in the channel. */
  holding(event: number): E {
    const entry = this.#entries[this.#indexOf(event)]
    assert(entry !== undefined && entry.from <= event, 'an event in the channel has an entry')
    return entry
  }

  /** Returns the monotonic time of an event's put; undefined for an event without an entry. */
  putMsOf(event: number): number | undefined {
    const entry = this.#entries[this.#indexOf(event)]
    return entry !== undefined && entry.from <= event ? entry.putMs : undefined
  }

  /** Iterates over the entries that overlap `[from, until)`, in order. */
  *within(from: number, until: number): Iterable<E> {
    for (let at = this.#indexOf(from); at < this.#entries.length; at++) {
      const entry = this.#entries[at]!
      if (entry.from >= until) return
      yield entry
    }
  }

  /** Drops entries whose events are all below `event`. */
  dropBelow(event: number): void {
    while (this.#head < this.#entries.length && this.#entries[this.#head]!.until <= event) {
      this.#head++
    }
    if (this.#head >= compactAt && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }

  /**
   * Removes and returns entries whose events are all at or above `event`, because their put failed.
   */
  dropFrom(event: number): E[] {
    const dropped: E[] = []
    while (this.#entries.length > this.#head && this.#entries.at(-1)!.from >= event) {
      dropped.push(this.#entries.pop()!)
    }
    return dropped
  }

  clear(): void {
    this.#entries = []
    this.#head = 0
  }

  /** Index of the first entry that ends after `event`. */
  #indexOf(event: number): number {
    let low = this.#head
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#entries[middle]!.until <= event) low = middle + 1
      else high = middle
    }
    return low
  }
}
