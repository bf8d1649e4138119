// Decides when windows are due and which batches they contain. A window counts nominal time, not
// batches: after a pause one batch covers many intervals, and "the last ten seconds" must remain
// ten seconds.

import { EngineError } from '../../engineError.ts'
import type { BatchHistory, BatchInfo } from '../batchHistory.ts'

/** Whether a stream that slides by `slideMs` has an RDD in this batch. */
export function isDue(batch: BatchInfo, before: BatchInfo | undefined, slideMs: number): boolean {
  if (before === undefined) return true
  return Math.floor(batch.timeMs / slideMs) > Math.floor(before.timeMs / slideMs)
}

/** Returns the batches in the window of `windowMs` that ends with `end`, oldest first. */
export function batchesIn(history: BatchHistory, end: BatchInfo, windowMs: number): BatchInfo[] {
  return history.upTo(end.batchId).filter(({ timeMs }) => timeMs > end.timeMs - windowMs)
}

/** Throws when the window is not made of whole batches of its parent. */
export function requireWindow(windowMs: number, slideMs: number, parentSlideMs: number): void {
  requireMultiple('window', windowMs, parentSlideMs)
  requireMultiple('slide', slideMs, parentSlideMs)
}

function requireMultiple(what: string, givenMs: number, unitMs: number): void {
  if (givenMs > 0 && Number.isInteger(givenMs / unitMs)) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `a ${what} of ${givenMs} ms does not consist of whole batches; use a multiple of ${unitMs} ms`,
  )
}
