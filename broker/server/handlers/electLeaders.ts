// ElectLeaders: answers ELECTION_NOT_NEEDED for every partition that exists. The only replica of a
// partition is its leader, and its preferred leader.

import { ElectionType, electLeaders } from '../../../protocol/kafka/apis/electLeaders.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { MetadataView } from '../../controller/metadata/metadataView.ts'
import { partitionExists } from '../partitions/partitionExists.ts'
import { handler } from '../request/handler.ts'

export const electLeadersHandler = handler(
  electLeaders,
  ({ electionType, topicPartitions }, { broker }) => {
    if (electionType !== ElectionType.preferred && electionType !== ElectionType.unclean) {
      return { errorCode: ErrorCode.invalidRequest, replicaElectionResults: [] }
    }
    const { state } = broker.controller
    return {
      errorCode: ErrorCode.none,
      // A request for all partitions is answered with those that needed an election, which are
      // none.
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
