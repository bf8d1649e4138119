// A set of integers, stored as sorted, disjoint, non-adjacent ranges `[from, until)`. A channel
// numbers its events, and keeps the numbers of waiting and of held events in such sets: millions of
// consecutive events are one range, and every hole is a transaction in flight.

import { assert } from '../../protocol/runtime/assert.ts'

/** `[from, until)`, never empty. */
export interface Range {
  readonly from: number
  readonly until: number
}

export class RangeSet {
  #ranges: Range[] = []
  #size = 0

  /** Number of integers in the set. */
  get size(): number {
    return this.#size
  }

  get ranges(): readonly Range[] {
    return this.#ranges
  }

  /** The lowest number in the set. */
  first(): number | undefined {
    return this.#ranges[0]?.from
  }

  /** Adds a range; none of its numbers may be in the set. */
  add(range: Range): void {
    const { from, until } = range
    assert(from < until, 'a range is never empty')
    const at = this.#indexFrom(from)
    const before = this.#ranges[at - 1]
    const after = this.#ranges[at]
    assert(before === undefined || before.until <= from, 'an added number is not in the set')
    assert(after === undefined || after.from >= until, 'an added number is not in the set')
    const joinsBefore = before?.until === from
    const joinsAfter = after?.from === until
    const joined = {
      from: joinsBefore ? before.from : from,
      until: joinsAfter ? after.until : until,
    }
    this.#ranges.splice(joinsBefore ? at - 1 : at, Number(joinsBefore) + Number(joinsAfter), joined)
    this.#size += until - from
  }

  /** Removes a range; all its numbers must be in the set. */
  remove(range: Range): void {
    const { from, until } = range
    assert(from < until, 'a range is never empty')
    const at = this.#indexFrom(from + 1) - 1
    const holder = this.#ranges[at]
    assert(
      holder !== undefined && holder.from <= from && until <= holder.until,
      'a removed number is in the set',
    )
    const rest: Range[] = []
    if (holder.from < from) rest.push({ from: holder.from, until: from })
    if (until < holder.until) rest.push({ from: until, until: holder.until })
    this.#ranges.splice(at, 1, ...rest)
    this.#size -= until - from
  }

  /** Returns the parts of a range that are in the set. */
  intersect(range: Range): Range[] {
    const found: Range[] = []
    for (
      let at = Math.max(0, this.#indexFrom(range.from + 1) - 1);
      at < this.#ranges.length;
      at++
    ) {
      const { from, until } = this.#ranges[at]!
      if (from >= range.until) break
      if (until <= range.from) continue
      found.push({ from: Math.max(from, range.from), until: Math.min(until, range.until) })
    }
    return found
  }

  /** Removes and returns the lowest numbers: at most `max`, and none at or above `below`. */
  takeFirst(max: number, below: number): Range | undefined {
    const head = this.#ranges[0]
    if (head === undefined || max <= 0 || head.from >= below) return undefined
    const taken = { from: head.from, until: Math.min(head.until, head.from + max, below) }
    this.remove(taken)
    return taken
  }

  /** Index of the first range whose `from` is at least `number`. */
  #indexFrom(number: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#ranges[middle]!.from < number) low = middle + 1
      else high = middle
    }
    return low
  }
}
