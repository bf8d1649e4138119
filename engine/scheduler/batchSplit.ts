// A batch that proves too large is planned again with half of its offsets, down to a single one.

import type { EngineErrorCode } from '../engineError.ts'
import { EngineError } from '../engineError.ts'
import type { OffsetRange } from '../sources/scan.ts'
import { offsetsIn } from './rangePlan.ts'

/** Failures that a batch with fewer records may not meet. */
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
 * Half of each range; of ranges of one offset each, half of the ranges. Every partition keeps its range, an
 * empty one where nothing is left. Undefined for a single offset, or none.
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
