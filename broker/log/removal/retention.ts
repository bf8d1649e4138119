// Which segments have had their time, by Kafka's rules: whole ones, from the oldest on, and none that
// reaches above the high watermark, because it is not known yet whether what lies there will stay in
// the log at all. It decides, and removes nothing.

import type { LogConfig } from '../logConfig.ts'

/** A segment, as far as retention looks at it. */
export interface RetainedSegment {
  readonly sizeBytes: number
  /** Milliseconds. Only asked for when time decides: it may have to be read from the disk. */
  largestTimestamp(): Promise<number>
}

export interface RetainedLog {
  /** From the oldest on, with where each ends; the last one is appended to. */
  readonly spans: readonly { readonly segment: RetainedSegment; readonly endOffset: number }[]
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly config: LogConfig
}

export type RetentionReason = 'logStartOffset' | 'retention.bytes' | 'retention.ms'

export interface ExpiredSegments {
  /** All segments that end here or below go. */
  readonly endOffset: number
  /** The one that is appended to is among them: another has to begin first. */
  readonly withActive: boolean
  /** Empty when no segment goes. */
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
  /** Of the segments after it. */
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
