// Which offsets a batch reads: from where the one before ended to the end of the log, up to a bound
// per partition, so that a long backlog does not become one batch that never ends.

import type { Isolation } from '../../protocol/client/isolation.ts'
import { EngineError, topicRecreated } from '../engineError.ts'
import { logTruncated, offsetsRemoved } from '../sources/lostOffsets.ts'
import type { OffsetRange } from '../sources/scan.ts'

/** One partition of a topic as it is now. */
export interface PartitionEnds {
  readonly topic: string
  /** Undefined with brokers that have no ids. */
  readonly topicId?: string | undefined
  readonly partition: number
  /** As it was asked last: by now it may be later. */
  readonly earliest: number
  /** The end of what can be read: the last stable offset, where only committed records are read. */
  readonly latest: number
  /** The end of the log, where it was asked for because `latest` is before what was read. */
  readonly highWatermark?: number | undefined
  /** Where a job begins that has never read the topic; at `earliest` unless given. */
  readonly start?: number | undefined
  /** Where a job goes on that had yet to read what the log no longer has; it fails unless given. */
  readonly resume?: number | undefined
}

/**
 * Every partition has a range, an empty one too: it says where the next batch begins. So has every one that
 * was read before, of topics that the job does not read any more: should it read them again, it goes on
 * there. Throws TOPIC_RECREATED when a topic is not the one that was read before, and OFFSETS_LOST when a log
 * does not have what is to be read, or ends before what was read of it, and the topic's `onLost` does not say
 * where to go on (see lostBetween for the gap that it leaves).
 *
 * A batch that was planned, and whose ranges are lost now, is planned again from `startsOf` its ranges.
 */
export function planRanges(
  ends: readonly PartitionEnds[],
  previous: readonly OffsetRange[],
  /** The most offsets that the batch reads of a partition. */
  limits: (topic: string, partition: number) => number,
  isolation?: Isolation,
): OffsetRange[] {
  requireSameTopics(ends, previous)
  const positions = new Map(previous.map((range) => [keyOf(range), range.until]))
  const known = new Set(previous.map(({ topic }) => topic))
  const ranges = ends.map((end) => {
    const { topic, topicId, partition, latest } = end
    const from = positionOf(end, positions.get(keyOf(end)), known.has(topic))
    // An earlier batch may have read, uncommitted, what is not stable yet.
    const until = Math.max(from, Math.min(latest, from + limits(topic, partition)))
    return {
      ...{ topic, partition, from, until },
      ...(topicId === undefined ? {} : { topicId }),
      ...(isolation === undefined ? {} : { isolation }),
    }
  })
  return [...ranges, ...keptPositions(ends, previous)]
}

/** The ranges of a batch as if it had read nothing: those that it can be planned from once more. */
export function startsOf(ranges: readonly OffsetRange[]): OffsetRange[] {
  return ranges.map((range) => ({ ...range, until: range.from }))
}

/** Where the next batch begins. `read`: up to where the partition was read; undefined when it never was. */
function positionOf(end: PartitionEnds, read: number | undefined, isKnownTopic: boolean): number {
  const { earliest, latest, highWatermark = latest, start = earliest, resume } = end
  // A partition that was added to a topic is read from its beginning, or its first records would be lost.
  if (read === undefined) return isKnownTopic ? earliest : start
  if (read >= earliest && read <= highWatermark) return read
  if (resume !== undefined) return resume
  const log = { earliest, latest: highWatermark }
  throw read < earliest ? offsetsRemoved(end, read, earliest, log) : logTruncated(end, read, log)
}

/**
 * Whether a log ends before what was planned to be read of it: its broker has lost records, and a task would
 * wait for them. `ends` were asked for the ends of the ranges. Throws OFFSETS_LOST where the topic's `onLost`
 * does not let the job go on.
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
 * A name may come to stand for another topic while the job runs or is away. Its offsets would be taken
 * for those of the topic before, whether or not there are as many. Ranges planned before ids were kept
 * have none, and take over the id of now.
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
      'deleted and created again; to count what is there now, start the job in a new directory',
  )
}

/** Offsets, and so records about: markers, aborted records and gaps of compaction have offsets, too. */
export function offsetsIn(ranges: readonly OffsetRange[]): number {
  return ranges.reduce((sum, { from, until }) => sum + until - from, 0)
}

/** Records in the log that no batch has read yet. */
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
