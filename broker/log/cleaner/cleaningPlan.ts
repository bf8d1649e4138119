// Decides which part of a log is cleaned, and how its segments are grouped, by the rules of Kafka's
// LogCleanerManager and Cleaner. Pure functions: no I/O, no clock.

/** A segment, as the plan sees it. */
export interface PlannedSegment {
  readonly baseOffset: number
  /** The offset after its last record, at which the next segment starts. */
  readonly nextOffset: number
  readonly sizeBytes: number
}

export interface LogBounds {
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** At or above it, a transaction is open or a record may still be truncated. */
  readonly lastStableOffset: number
}

/** The cleaned and the cleanable range of a log. */
export interface CleaningRange<S extends PlannedSegment> {
  /** All records below it are clean. */
  readonly firstDirtyOffset: number
  /** The segments that may be cleaned, from the first one on. */
  readonly cleanable: readonly S[]
  /** Those of them that have new records. */
  readonly dirty: readonly S[]
  /** The new part of `cleanable`, by bytes: 0 to 1. */
  readonly dirtyRatio: number
}

/** Cleaning starts where it ended the last time, unless the log was truncated below that offset. */
export function firstDirtyOffset(checkpoint: number | undefined, log: LogBounds): number {
  const { logStartOffset, logEndOffset } = log
  if (checkpoint === undefined || checkpoint > logEndOffset) return logStartOffset
  return Math.max(checkpoint, logStartOffset)
}

/**
 * `sealed`: all segments but the active one. Cleanable segments end before the first one that is
 * not stable (`lastStableOffset`) or is `tooYoung` (min.compaction.lag.ms).
 */
export function cleaningRange<S extends PlannedSegment>(
  sealed: readonly S[],
  firstDirty: number,
  lastStableOffset: number,
  tooYoung: (segment: S) => boolean,
): CleaningRange<S> {
  const end = sealed.findIndex(
    (segment) =>
      segment.nextOffset > lastStableOffset ||
      (segment.nextOffset > firstDirty && tooYoung(segment)),
  )
  const cleanable = end < 0 ? sealed : sealed.slice(0, end)
  const dirty = cleanable.filter(({ nextOffset }) => nextOffset > firstDirty)
  const totalBytes = bytesOf(cleanable)
  const dirtyRatio = totalBytes === 0 ? 0 : bytesOf(dirty) / totalBytes
  return { firstDirtyOffset: firstDirty, cleanable, dirty, dirtyRatio }
}

/** Limits of one segment. */
export interface GroupLimits {
  readonly segmentBytes: number
  /** Size of the offset or time index, whichever is larger. */
  readonly indexBytes: number
}

const maxRelativeOffset = 2 ** 31 - 1

/** Groups neighbours that fit into one segment. `indexBytes`: the size of a segment's indexes. */
export function groupSegments<S extends PlannedSegment>(
  segments: readonly S[],
  indexBytes: (segment: S) => number,
  limits: GroupLimits,
): S[][] {
  const groups: S[][] = []
  let group: S[] = []
  let groupBytes = 0
  let groupIndexBytes = 0
  for (const segment of segments) {
    const bytes = groupBytes + segment.sizeBytes
    const indexes = groupIndexBytes + indexBytes(segment)
    const span = segment.nextOffset - 1 - (group[0] ?? segment).baseOffset
    const fits =
      bytes <= limits.segmentBytes && indexes <= limits.indexBytes && span <= maxRelativeOffset
    if (group.length === 0 || !fits) {
      group = [segment]
      groups.push(group)
      groupBytes = segment.sizeBytes
      groupIndexBytes = indexBytes(segment)
    } else {
      group.push(segment)
      groupBytes = bytes
      groupIndexBytes = indexes
    }
  }
  return groups
}

/**
 * Whether a record with this timestamp has been uncompacted for longer than max.compaction.lag.ms.
 */
export function isOverdue(timestampMs: number, maxCompactionLagMs: number, nowMs: number): boolean {
  // Records without a timestamp are never overdue.
  return timestampMs > 0 && timestampMs < nowMs - maxCompactionLagMs
}

function bytesOf(segments: readonly PlannedSegment[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
