// Plans the offsets of a batch: from the end of the previous batch to the end of the log, up to a
// limit per partition, so that a long backlog does not become one endless batch. Pure.

import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import { EngineError, topicRecreated } from '../engineError.ts'
import { logTruncated, offsetsRemoved } from '../sources/lostOffsets.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { PartitionEnds } from '../sources/topicOffsets.ts'

/**
 * Returns the ranges of a batch. Every partition has one, possibly empty: the next batch begins at
 * its end. A topic that the job no longer reads keeps its positions, in case the job reads it
 * again. Throws TOPIC_RECREATED when a topic is not the one that was read before.
 * Throws OFFSETS_LOST when a log lacks records to read, or ends below what was already read, and
 * the topic's `onLost` does not say where to continue (see lostBetween for the gap).
 *
 * A planned batch whose ranges have been lost is planned again from `startsOf` its ranges.
 */
export function planRanges(
  ends: readonly PartitionEnds[],
  previous: readonly OffsetRange[],
  /** Maximum number of offsets that the batch reads of a partition. */
  limits: (topic: string, partition: number) => number,
  isolation?: Isolation,
): OffsetRange[] {
  requireSameTopics(ends, previous)
  const positions = new Map(previous.map((range) => [keyOf(range), range.until]))
  const known = new Set(previous.map(({ topic }) => topic))
  const ranges = ends.map((end) => {
    const { topic, topicId, partition, latest } = end
    const from = positionOf(end, positions.get(keyOf(end)), known.has(topic))
    // An earlier batch, at isolation level read_uncommitted, may have read past the last stable
    // offset.
    const until = Math.max(from, Math.min(latest, from + limits(topic, partition)))
    return {
      ...{ topic, partition, from, until },
      ...(topicId === undefined ? {} : { topicId }),
      ...(isolation === undefined ? {} : { isolation }),
    }
  })
  return [...ranges, ...keptPositions(ends, previous)]
}

/** Returns the ranges, emptied: the positions from which their batch can be planned again. */
export function startsOf(ranges: readonly OffsetRange[]): OffsetRange[] {
  return ranges.map((range) => ({ ...range, until: range.from }))
}

/**
 * Returns the offset at which the batch begins. `read`: the offset up to which the partition was
 * read; undefined for a new partition.
 */
function positionOf(end: PartitionEnds, read: number | undefined, isKnownTopic: boolean): number {
  const { earliest, latest, highWatermark = latest, start = earliest, resume } = end
  // A partition added to a known topic is read from its beginning; otherwise its first records are
  // lost.
  if (read === undefined) return isKnownTopic ? earliest : start
  if (read >= earliest && read <= highWatermark) return read
  if (resume !== undefined) return resume
  const log = { earliest, latest: highWatermark }
  throw read < earliest ? offsetsRemoved(end, read, earliest, log) : logTruncated(end, read, log)
}

/**
 * Returns whether a log ends below the end of a planned range: its broker has lost records, and a
 * task would wait for them forever. `ends` must have been listed for the ends of the ranges. Throws
 * OFFSETS_LOST when the topic's `onLost` does not let the job continue.
 */
export function requireMayCut(
  ranges: readonly OffsetRange[],
  ends: readonly PartitionEnds[],
): boolean {
  const untils = new Map(ranges.map((range) => [keyOf(range), range]))
  let isCut = false
  for (const end of ends) {
    const { earliest, latest, highWatermark = latest, resume } = end
    const range = untils.get(keyOf(end))
    if (range === undefined || range.until === range.from || range.until <= highWatermark) continue
    const log = { earliest, latest: highWatermark }
    if (resume === undefined) throw logTruncated(end, range.until, log, 'was to read')
    isCut = true
  }
  return isCut
}

function keptPositions(
  ends: readonly PartitionEnds[],
  previous: readonly OffsetRange[],
): OffsetRange[] {
  const topics = new Set(ends.map(({ topic }) => topic))
  return previous
    .filter(({ topic }) => !topics.has(topic))
    .map((range) => ({ ...range, from: range.until }))
}

/**
 * Throws when a name now belongs to another topic: its offsets would be mistaken for those of the
 * deleted one. Ranges planned by versions that kept no ids have none, and take over the current id.
 */
function requireSameTopics(ends: readonly PartitionEnds[], previous: readonly OffsetRange[]): void {
  const known = new Map(previous.map(({ topic, topicId }) => [topic, topicId]))
  for (const { topic, topicId } of ends) {
    const before = known.get(topic)
    if (before === undefined || topicId === undefined || before === topicId) continue
    throw topicRecreated(
      `topic ${topic} with id ${before} was deleted; the topic of this name now has id ${topicId}`,
    )
  }
  const existing = new Set(ends.map(keyOf))
  const topics = new Set(ends.map(({ topic }) => topic))
  const missing = previous.find((range) => topics.has(range.topic) && !existing.has(keyOf(range)))
  if (missing === undefined) return
  throw new EngineError(
    'OFFSETS_LOST',
    `${keyOf(missing)} does not exist, but this job has read it up to ${missing.until}: the topic was ` +
      'deleted and created again; to read the new topic, start the job in a new directory',
  )
}

/**
 * Offsets in the ranges; at least the number of records, as markers, aborted records and gaps count
 * too.
 */
export function offsetsIn(ranges: readonly OffsetRange[]): number {
  return ranges.reduce((sum, { from, until }) => sum + until - from, 0)
}

/** Records in the log that no batch has read. */
export function lagBehind(ends: readonly PartitionEnds[], ranges: readonly OffsetRange[]): number {
  const positions = new Map(ranges.map((range) => [keyOf(range), range.until]))
  return ends.reduce((lag, end) => {
    const position = positions.get(keyOf(end)) ?? end.start ?? end.earliest
    return lag + Math.max(0, end.latest - position)
  }, 0)
}

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`
}
