// Splitting a batch that is too large: which errors cause it, and the ranges with half of the
// offsets.

import type { EngineErrorCode } from '../engineError.ts'
import { EngineError } from '../engineError.ts'
import type { OffsetRange } from '../sources/scan.ts'
import { offsetsIn } from './rangePlan.ts'

/** Errors that a batch with fewer records may avoid. */
const codes: ReadonlySet<string> = new Set<EngineErrorCode>([
  'RESULT_TOO_LARGE',
  'EXECUTOR_OUT_OF_MEMORY',
  'BATCH_TIMED_OUT',
  'REJECTED_TOO_MANY',
])

export function isTooLarge(error: unknown): error is EngineError {
  return error instanceof EngineError && codes.has(error.code)
}

/**
 * Returns half of each range or, if every range has a single offset, half of the ranges. Every
 * partition keeps a range, possibly empty. Returns undefined for one offset or none.
 */
export function halved(ranges: readonly OffsetRange[]): OffsetRange[] | undefined {
  if (offsetsIn(ranges) <= 1) return undefined
  if (ranges.some(({ from, until }) => until - from > 1)) {
    return ranges.map((range) => {
      return { ...range, until: range.from + Math.ceil((range.until - range.from) / 2) }
    })
  }
  let left = Math.ceil(offsetsIn(ranges) / 2)
  return ranges.map((range) => {
    const isKept = range.until === range.from || left-- > 0
    return isKept ? range : { ...range, until: range.from }
  })
}
