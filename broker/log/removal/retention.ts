// Decides which segments are deleted, by Kafka's rules: whole segments from the oldest on, and none
// that reaches above the high watermark, because records above it may still be truncated. Removes
// nothing.

import type { LogConfig } from '../logConfig.ts'

/** A segment, as retention sees it. */
export interface RetainedSegment {
  readonly sizeBytes: number
  /** In ms. Called only if time decides, because it may read the disk. */
  largestTimestamp(): Promise<number>
}

export interface RetainedLog {
  /** From the oldest on, with the end offset of each; the last one is active. */
  readonly spans: readonly { readonly segment: RetainedSegment; readonly endOffset: number }[]
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly config: LogConfig
}

export type RetentionReason = 'logStartOffset' | 'retention.bytes' | 'retention.ms'

export interface ExpiredSegments {
  /** All segments that end at or below it are deleted. */
  readonly endOffset: number
  /** The active segment is among them: a new segment has to be started first. */
  readonly withActive: boolean
  /** Empty if no segment is deleted. */
  readonly reasons: ReadonlySet<RetentionReason>
}

export async function findExpired(log: RetainedLog, nowMs: number): Promise<ExpiredSegments> {
  const reasons = new Set<RetentionReason>()
  let endOffset = 0
  let withActive = false
  let restBytes = log.spans.reduce((sum, { segment }) => sum + segment.sizeBytes, 0)
  for (const [at, span] of log.spans.entries()) {
    const isActive = at === log.spans.length - 1
    restBytes -= span.segment.sizeBytes
    const reason = await reasonToDelete({ ...span, isActive, restBytes }, log, nowMs)
    if (reason === undefined) break
    reasons.add(reason)
    endOffset = span.endOffset
    withActive = isActive
  }
  return { endOffset, withActive, reasons }
}

interface Oldest {
  readonly segment: RetainedSegment
  readonly endOffset: number
  readonly isActive: boolean
  /** Size of the segments after it. */
  readonly restBytes: number
}

async function reasonToDelete(
  { segment, endOffset, isActive, restBytes }: Oldest,
  { logStartOffset, highWatermark, config }: RetainedLog,
  nowMs: number,
): Promise<RetentionReason | undefined> {
  const { retentionBytes, retentionMs, cleanupPolicy } = config
  if (endOffset > highWatermark) return undefined
  if (!isActive && endOffset <= logStartOffset) return 'logStartOffset'
  if (!cleanupPolicy.delete || (isActive && segment.sizeBytes === 0)) return undefined
  if (retentionBytes >= 0 && restBytes >= retentionBytes) return 'retention.bytes'
  const isTimed = retentionMs >= 0
  return isTimed && nowMs - (await segment.largestTimestamp()) > retentionMs
    ? 'retention.ms'
    : undefined
}
