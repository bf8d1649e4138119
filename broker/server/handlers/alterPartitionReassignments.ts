// AlterPartitionReassignments: moves replicas between brokers. A single broker has no other to move
// them to: the present assignment is accepted and changes nothing, any other is refused with the
// reason.

import { alterPartitionReassignments } from '../../../protocol/kafka/apis/alterPartitionReassignments.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

interface Outcome {
  readonly errorCode: number
  readonly errorMessage: string | null
}

export const alterPartitionReassignmentsHandler = handler(
  alterPartitionReassignments,
  ({ topics, allowReplicationFactorChange }, { broker }) => ({
    allowReplicationFactorChange,
    errorCode: ErrorCode.none,
    errorMessage: null,
    responses: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, replicas }) => ({
        partitionIndex,
        ...reassign(name, partitionIndex, replicas, broker),
      })),
    })),
  }),
)

/** Returns the outcome for one partition. `replicas` null cancels the reassignment in progress. */
function reassign(
  name: string,
  partition: number,
  replicas: readonly number[] | null,
  { controller, nodeId }: BrokerParts,
): Outcome {
  const topic = controller.state.topic(name)
  if (!topic || partition < 0 || partition >= topic.partitions.length) {
    return refuse(
      ErrorCode.unknownTopicOrPartition,
      `partition ${name}-${partition} does not exist`,
    )
  }
  if (replicas === null) return refuse(ErrorCode.noReassignmentInProgress, null)
  const problem = replicasProblem(replicas, nodeId)
  return refuse(problem ? ErrorCode.invalidReplicaAssignment : ErrorCode.none, problem)
}

function replicasProblem(replicas: readonly number[], nodeId: number): string | null {
  if (replicas.length === 0) return 'the list of replicas is empty'
  const stranger = replicas.find((id) => id !== nodeId)
  if (stranger !== undefined)
    return `broker ${stranger} does not exist; the only broker is ${nodeId}`
  return replicas.length > 1 ? `broker ${nodeId} is in the list more than once` : null
}

function refuse(errorCode: number, errorMessage: string | null): Outcome {
  return { errorCode, errorMessage }
}
