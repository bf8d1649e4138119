// Which offsets a batch reads: from where the one before ended to the end of the log, up to a bound
// per partition, so that a long backlog does not become one batch that never ends.

import { EngineError } from '../engineError.ts'
import type { OffsetRange } from '../sources/scan.ts'

/** One partition of a topic as it is now. */
export interface PartitionEnds {
  readonly topic: string
  readonly partition: number
  readonly earliest: number
  readonly latest: number
}

/**
 * Every partition has a range, an empty one too: it says where the next batch begins. Throws
 * OFFSETS_LOST when a log ends before what was read of it: waiting would hide that for ever.
 */
export function planRanges(
  ends: readonly PartitionEnds[],
  previous: readonly OffsetRange[],
  maxRecordsPerPartition: number,
): OffsetRange[] {
  const positions = new Map(previous.map((range) => [keyOf(range), range.until]))
  return ends.map(({ topic, partition, earliest, latest }) => {
    const from = positions.get(keyOf({ topic, partition })) ?? earliest
    if (latest < from) {
      throw new EngineError(
        'OFFSETS_LOST',
        `${topic}-${partition} ends at offset ${latest}, but this job has read it up to ${from}: ` +
          'the topic was made anew or lost records; to count what is there now, start the job in a new directory',
      )
    }
    const until = Math.min(latest, from + maxRecordsPerPartition)
    return { topic, partition, from, until }
  })
}

export function recordsIn(ranges: readonly OffsetRange[]): number {
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
