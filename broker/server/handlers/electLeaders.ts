// Elects leaders. A partition with a single replica has its leader, preferred and only one, so that no
// election is needed; this says so, and which partitions are not there.

import { ElectionType, electLeaders } from '../../../protocol/kafka/apis/electLeaders.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { MetadataView } from '../../controller/metadata/metadataView.ts'
import { handler } from '../handler.ts'
import { partitionExists } from '../partitionExists.ts'

export const electLeadersHandler = handler(
  electLeaders,
  ({ electionType, topicPartitions }, { broker }) => {
    if (electionType !== ElectionType.preferred && electionType !== ElectionType.unclean) {
      return { errorCode: ErrorCode.invalidRequest, replicaElectionResults: [] }
    }
    const { state } = broker.controller
    return {
      errorCode: ErrorCode.none,
      // Asked for all partitions, only those are told that got a new leader or should have one.
      replicaElectionResults: (topicPartitions ?? []).map(({ topic, partitions }) => ({
        topic,
        partitionResult: partitions.map((partition) => result(state, topic, partition)),
      })),
    }
  },
)

function result(state: MetadataView, topic: string, partitionId: number) {
  return partitionExists(state, topic, partitionId)
    ? {
        partitionId,
        errorCode: ErrorCode.electionNotNeeded,
        errorMessage: 'the leader is elected already',
      }
    : {
        partitionId,
        errorCode: ErrorCode.unknownTopicOrPartition,
        errorMessage: `there is no partition ${topic}-${partitionId}`,
      }
}
