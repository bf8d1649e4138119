// Which offsets a batch reads: from where the one before ended to the end of the log, up to a bound
// per partition, so that a long backlog does not become one batch that never ends.

import type { Isolation } from '../../protocol/client/partitionReader.ts'
import { EngineError, topicRecreated } from '../engineError.ts'
import type { OffsetRange } from '../sources/scan.ts'

/** One partition of a topic as it is now. */
export interface PartitionEnds {
  readonly topic: string
  /** Undefined with brokers that have no ids. */
  readonly topicId?: string | undefined
  readonly partition: number
  readonly earliest: number
  /** The end of what can be read: the last stable offset, where only committed records are read. */
  readonly latest: number
  /** The end of the log, where it was asked for because `latest` is before what was read. */
  readonly highWatermark?: number | undefined
}

/**
 * Every partition has a range, an empty one too: it says where the next batch begins. Throws
 * TOPIC_RECREATED when a topic is not the one that was read before, and OFFSETS_LOST when a log ends
 * before what was read of it: waiting would hide that for ever.
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
  return ends.map(({ topic, topicId, partition, earliest, latest, highWatermark = latest }) => {
    const from = positions.get(keyOf({ topic, partition })) ?? earliest
    if (highWatermark < from) {
      throw new EngineError(
        'OFFSETS_LOST',
        `${topic}-${partition} ends at offset ${highWatermark}, but this job has read it up to ${from}: ` +
          'the topic was created again or lost records; to count what is there now, start the job in a new directory',
      )
    }
    // An earlier batch may have read, uncommitted, what is not stable yet.
    const until = Math.max(from, Math.min(latest, from + limits(topic, partition)))
    return {
      ...{ topic, partition, from, until },
      ...(topicId === undefined ? {} : { topicId }),
      ...(isolation === undefined ? {} : { isolation }),
    }
  })
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
    const position = positions.get(keyOf(end)) ?? end.earliest
    return lag + Math.max(0, end.latest - position)
  }, 0)
}

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`
}
