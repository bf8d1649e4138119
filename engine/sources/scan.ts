// What an offset range is, and a request to read one as rows. Plain values: they travel to executors
// and into the offset log.

import type { RowFormat } from '../rows/csv.ts'

/** Offsets [from, until) of one topic partition, fixed before a batch runs. */
export interface OffsetRange {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly until: number
}

/** Reads a range as rows of one format. Scans with equal ranges and formats may be shared. */
export interface Scan {
  readonly range: OffsetRange
  readonly format: RowFormat<unknown>
}

/** The smaller of two timestamps, where undefined stands for none. */
export function olderTimestamp(
  one: number | undefined,
  other: number | undefined,
): number | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return Math.min(one, other)
}
