// What is to be cleaned of a log, and how its segments are put together: Kafka's rules of
// LogCleanerManager and Cleaner as functions of numbers. No I/O, no clock.

/** What a plan has to know of a segment. */
export interface PlannedSegment {
  readonly baseOffset: number
  /** The offset after its last record, which is where the next segment begins. */
  readonly nextOffset: number
  readonly sizeBytes: number
}

export interface LogBounds {
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** Above it, a transaction is undecided or a record may still be lost. */
  readonly lastStableOffset: number
}

/** How far a log has been cleaned, and how far it can be. */
export interface CleaningRange<S extends PlannedSegment> {
  /** Everything below has been cleaned before. */
  readonly firstDirtyOffset: number
  /** The segments that may be cleaned, from the first one on. */
  readonly cleanable: readonly S[]
  /** Those of them with something new. */
  readonly dirty: readonly S[]
  /** The part of `cleanable` that is new, in bytes: 0 to 1. */
  readonly dirtyRatio: number
}

/**
 * Where cleaning begins: where it ended the last time, unless the log has been cut since, so that
 * the checkpoint means nothing any more.
 */
export function firstDirtyOffset(checkpoint: number | undefined, log: LogBounds): number {
  const { logStartOffset, logEndOffset } = log
  if (checkpoint === undefined || checkpoint > logEndOffset) return logStartOffset
  return Math.max(checkpoint, logStartOffset)
}

/**
 * `sealed` are all segments but the active one. The cleanable ones end before the first that has
 * not settled (`lastStableOffset`) or is `tooYoung` (min.compaction.lag.ms).
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

/** Limits of what one segment can hold. */
export interface GroupLimits {
  readonly segmentBytes: number
  /** Of the index of offsets or times, whichever is larger. */
  readonly indexBytes: number
}

const maxRelativeOffset = 2 ** 31 - 1

/** Neighbours that fit into one segment together are made one. `indexBytes` are those it has. */
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

/** Whether a record of that time has waited for longer than max.compaction.lag.ms. */
export function isOverdue(timestampMs: number, maxCompactionLagMs: number, nowMs: number): boolean {
  // Records without a timestamp wait for no one.
  return timestampMs > 0 && timestampMs < nowMs - maxCompactionLagMs
}

function bytesOf(segments: readonly PlannedSegment[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
