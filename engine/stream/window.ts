// When windows are due and which batches they hold. A window counts nominal time and not batches:
// after a pause one batch stands for many intervals, and "the last ten seconds" must stay that.

import { EngineError } from '../engineError.ts'
import type { BatchHistory, BatchInfo } from './batchHistory.ts'

/** Whether a stream that slides by `slideMs` has an RDD in this batch. */
export function isDue(batch: BatchInfo, before: BatchInfo | undefined, slideMs: number): boolean {
  if (before === undefined) return true
  return Math.floor(batch.timeMs / slideMs) > Math.floor(before.timeMs / slideMs)
}

/** The batches of the window of `windowMs` that ends with `end`, oldest first. */
export function batchesIn(history: BatchHistory, end: BatchInfo, windowMs: number): BatchInfo[] {
  return history.upTo(end.batchId).filter(({ timeMs }) => timeMs > end.timeMs - windowMs)
}

/** Throws when the window cannot be put together from whole batches of its parent. */
export function requireWindow(windowMs: number, slideMs: number, parentSlideMs: number): void {
  requireMultiple('window', windowMs, parentSlideMs)
  requireMultiple('slide', slideMs, parentSlideMs)
}

function requireMultiple(what: string, givenMs: number, unitMs: number): void {
  if (givenMs > 0 && Number.isInteger(givenMs / unitMs)) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `a ${what} of ${givenMs} ms is not made of whole batches: give a multiple of ${unitMs} ms`,
  )
}
