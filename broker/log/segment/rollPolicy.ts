// Decides when a log starts a new segment: Kafka's LogSegment.shouldRoll as a pure function.

import type { LogConfig } from '../logConfig.ts'

/** The start of a new segment, with the producer snapshot at its base offset. */
export interface Roll {
  readonly baseOffset: number
  readonly snapshot: Buffer
}

/** The active segment, including appends that are accepted and not yet written. */
export interface ActiveSegment {
  readonly baseOffset: number
  readonly sizeBytes: number
  readonly createdMs: number
  /** The largest timestamp of its first batch; undefined if it is empty. */
  readonly firstTimestampMs: number | undefined
  readonly indexesFull: boolean
}

/** The append to decide about. */
export interface Incoming {
  readonly sizeBytes: number
  readonly lastOffset: number
  readonly maxTimestampMs: number
}

const maxRelativeOffset = 2 ** 31 - 1

/** `jitter`: the part of segment.jitter.ms that is subtracted from segment.ms, from 0 to 1. */
export function shouldRoll(
  segment: ActiveSegment,
  incoming: Incoming,
  config: LogConfig,
  nowMs: number,
  jitter: number,
): boolean {
  if (segment.sizeBytes === 0) return incoming.lastOffset - segment.baseOffset > maxRelativeOffset
  return (
    segment.sizeBytes + incoming.sizeBytes > config.segmentBytes ||
    ageMs(segment, incoming, nowMs) > maxAgeMs(config) - jitterMs(config, jitter) ||
    segment.indexesFull ||
    incoming.lastOffset - segment.baseOffset > maxRelativeOffset
  )
}

// The active segment is never compacted, so max.compaction.lag.ms also limits its age.
function maxAgeMs({ cleanupPolicy, segmentMs, maxCompactionLagMs }: LogConfig): number {
  return cleanupPolicy.compact ? Math.min(segmentMs, maxCompactionLagMs) : segmentMs
}

function jitterMs({ segmentJitterMs, segmentMs }: LogConfig, jitter: number): number {
  return Math.floor(jitter * Math.min(segmentJitterMs, segmentMs))
}

// Age is measured by record timestamps, so that a copied or replayed log rolls at the same offsets.
// Without timestamps it is measured by the clock.
function ageMs(segment: ActiveSegment, incoming: Incoming, nowMs: number): number {
  if (segment.firstTimestampMs !== undefined && segment.firstTimestampMs >= 0) {
    return incoming.maxTimestampMs - segment.firstTimestampMs
  }
  return nowMs - segment.createdMs
}
