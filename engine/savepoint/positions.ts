// Resolves the positions that a job is rewound to (an offset, an end or a time) in the topics as
// they are now.

import { Admin } from '../../protocol/client/admin.ts'
import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import { PartitionReader } from '../../protocol/client/consumer/partitionReader.ts'
import { zeroUuid } from '../../protocol/kafka/schema/fields.ts'
import { EngineError } from '../engineError.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { Position } from './rewindPlan.ts'

export interface PositionRequest {
  readonly topic: string
  /** All partitions of the topic by default. */
  readonly partition?: number | undefined
  /** A time stands for the first record at or after it, or the end when there is none. */
  readonly at: number | 'earliest' | 'latest' | { readonly timeMs: number }
}

/** Timeout for a missing topic; the caller decides whether to retry. */
const timeoutMs = 2000

/** Requests the same position in all topics that a job has read. */
export function everywhere(
  ranges: readonly OffsetRange[],
  at: PositionRequest['at'],
): PositionRequest[] {
  return [...new Set(ranges.map(({ topic }) => topic))].map((topic) => ({ topic, at }))
}

/** Throws JOB_OPTION_INVALID for a partition or an offset that does not exist. */
export async function positionsOf(
  cluster: Cluster,
  requests: readonly PositionRequest[],
  isolation: Isolation = 'committed',
): Promise<Position[]> {
  const topics = [...new Set(requests.map(({ topic }) => topic))]
  const described = await new Admin(cluster, timeoutMs).describeTopics(topics)
  const positions = requests.map(async (request) => {
    const topic = described.find(({ name }) => name === request.topic)
    const partitions = topic?.partitions
      .map(({ partition }) => partition)
      .filter((partition) => partition === (request.partition ?? partition))
    if (topic === undefined || partitions === undefined || partitions.length === 0) {
      throw refused(`${nameOf(request)} does not exist`)
    }
    const topicId = topic.topicId === zeroUuid ? undefined : topic.topicId
    return await Promise.all(
      partitions.map(async (partition): Promise<Position> => {
        const options = { topic: request.topic, partition, isolation }
        const reader = new PartitionReader(cluster, options)
        const offset = await offsetOf(request.at, reader, nameOf(options))
        return { topic: request.topic, partition, offset, topicId }
      }),
    )
  })
  return (await Promise.all(positions)).flat()
}

async function offsetOf(
  at: PositionRequest['at'],
  reader: PartitionReader,
  name: string,
): Promise<number> {
  const [earliest, latest] = await Promise.all([reader.earliest(), reader.latest()])
  if (at === 'earliest') return earliest
  if (at === 'latest') return latest
  if (typeof at === 'object') return Math.max(earliest, await reader.offsetForTime(at.timeMs))
  if (at >= earliest && at <= latest) return at
  throw refused(`${name} has no offset ${at}; its log has offsets ${earliest} to ${latest}`)
}

function nameOf({ topic, partition }: Pick<PositionRequest, 'topic' | 'partition'>): string {
  return partition === undefined ? topic : `${topic}-${partition}`
}

function refused(what: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', `cannot rewind: ${what}`)
}
