// What a history shows of one partition: its values in the order of their offsets (Jepsen's version
// order), who sent each and who read it first.
//
// Contract: the order is inferred from sends that are certainly committed, and from all polls, also
// those of aborted transactions: a consumer is never shown anything but what the log holds. An
// index counts the offsets of the order from 0; offsets that nobody has shown do not exist for it.

import type { Call } from './calls.ts'
import type { Watermarks } from './operations.ts'
import type { PartitionName, Value } from './value.ts'

export class ObservedLog {
  readonly name: PartitionName
  readonly ordinal: number
  readonly writers = new Map<Value, Call>()
  readonly firstReaders = new Map<Value, Call>()
  /** Offsets in ascending order, set by `order`. */
  offsets: Float64Array = new Float64Array(0)
  /** The value of each index; of several at one offset, the first that was shown. */
  values: Value[] = []
  /** Highest log start offset that anyone saw. */
  logStartOffset = 0
  /** Compaction may have removed values below this offset. */
  compactedTo = 0
  lowestPolled = Number.POSITIVE_INFINITY
  readonly #valueAt = new Map<number, Value>()
  readonly #conflicts = new Map<number, Set<Value>>()
  readonly #indexOfOffset = new Map<number, number>()
  readonly #firstIndex = new Map<Value, number>()
  readonly #duplicates = new Map<Value, number[]>()

  constructor(name: PartitionName, ordinal: number) {
    this.name = name
    this.ordinal = ordinal
  }

  /** The value was shown to lie at the offset. */
  show(offset: number, value: Value): void {
    const known = this.#valueAt.get(offset)
    if (known === undefined) this.#valueAt.set(offset, value)
    else if (known !== value) {
      const conflict = this.#conflicts.get(offset) ?? new Set([known])
      this.#conflicts.set(offset, conflict.add(value))
    }
  }

  watermarks(seen: Watermarks): void {
    this.logStartOffset = Math.max(this.logStartOffset, seen.logStartOffset ?? 0)
    this.compactedTo = Math.max(this.compactedTo, seen.compactedTo ?? 0)
  }

  /** Ends `show`: brings the offsets into order. */
  order(): void {
    this.offsets = Float64Array.from(this.#valueAt.keys()).sort()
    this.offsets.forEach((offset, index) => {
      const value = this.#valueAt.get(offset)!
      this.values.push(value)
      this.#indexOfOffset.set(offset, index)
      this.#place(value, index)
      for (const other of this.#conflicts.get(offset) ?? [])
        if (other !== value) this.#place(other, index)
    })
  }

  #place(value: Value, index: number): void {
    const first = this.#firstIndex.get(value)
    if (first === undefined) this.#firstIndex.set(value, index)
    else {
      const indexes = this.#duplicates.get(value)
      if (indexes) indexes.push(index)
      else this.#duplicates.set(value, [first, index])
    }
  }

  get conflicts(): ReadonlyMap<number, ReadonlySet<Value>> {
    return this.#conflicts
  }

  /** Indexes of values that lie at more than one offset. */
  get duplicates(): ReadonlyMap<Value, readonly number[]> {
    return this.#duplicates
  }

  /** The values that have an index, with the first one of each. */
  get firstIndexes(): ReadonlyMap<Value, number> {
    return this.#firstIndex
  }

  firstIndexOf(value: Value): number | undefined {
    return this.#firstIndex.get(value)
  }

  /** Index of an offset that was shown. */
  indexOf(offset: number): number {
    return this.#indexOfOffset.get(offset)!
  }

  /** Index of the last offset below `position`; -1 if there is none. */
  indexBelow(position: number): number {
    let low = 0
    let high = this.offsets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.offsets[middle]! < position) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Whether a reader may have missed the offset, because retention or compaction removed it. */
  mayBeGone(offset: number): boolean {
    return offset < this.logStartOffset || offset < this.compactedTo
  }

  /** The values at indexes between two others that a reader had to be shown. */
  skipped(after: number, before: number): Value[] {
    const skipped: Value[] = []
    for (let index = after + 1; index < before; index++)
      if (!this.mayBeGone(this.offsets[index]!)) skipped.push(this.values[index]!)
    return skipped
  }
}
