// OffsetForLeaderEpoch: returns the end offset of a leader epoch, by which a client detects that
// records that it has read were truncated (KIP-320).

import { offsetForLeaderEpoch } from '../../../protocol/kafka/apis/offsetForLeaderEpoch.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { handler } from '../request/handler.ts'
import type { RequestContext } from '../request/requestContext.ts'

type PartitionRequest = RequestOf<
  typeof offsetForLeaderEpoch
>['topics'][number]['partitions'][number]

export const offsetForLeaderEpochHandler = handler(
  offsetForLeaderEpoch,
  async (request, context) => ({
    topics: await Promise.all(
      request.topics.map(async ({ topic, partitions }) => ({
        topic,
        partitions: await Promise.all(
          partitions.map((partition) => endOf(topic, partition, context)),
        ),
      })),
    ),
  }),
)

async function endOf(
  name: string,
  { partition, currentLeaderEpoch, leaderEpoch }: PartitionRequest,
  { broker }: RequestContext,
) {
  const topic = broker.controller.state.topic(name)
  const found = topic && (await broker.replicas.readable(topic, partition))
  if (!found) return { partition, errorCode: broker.replicas.errorCodeOfMissing(topic, partition) }
  const errorCode = found.leaderEpochError(currentLeaderEpoch)
  if (errorCode !== ErrorCode.none) return { partition, errorCode }
  const end = found.endOffsetForEpoch(leaderEpoch, 'consumer')
  return end
    ? { partition, errorCode, leaderEpoch: end.epoch, endOffset: end.endOffset }
    : { partition, errorCode }
}
