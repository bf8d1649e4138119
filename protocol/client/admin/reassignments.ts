// Lists the reassignments of partitions in progress.

import { listPartitionReassignments } from '../../kafka/apis/listPartitionReassignments.ts'
import type { Reassignment } from '../adminApi.ts'
import { type AdminRequests, throwUnlessNone } from './adminRequests.ts'

/** Default: all topics. Needs brokers of Kafka 2.4 or later. */
export async function listReassignments(
  requests: AdminRequests,
  topics?: readonly string[],
): Promise<Reassignment[]> {
  const wanted = topics && new Set(topics)
  const answer = await requests.retrying(async () => {
    const connection = await requests.controller()
    const timeoutMs = requests.requestTimeoutMs
    // A request by topic would have to name partitions; few reassignments are ever in progress.
    const answer = await connection.send(listPartitionReassignments, { timeoutMs, topics: null })
    throwUnlessNone(answer.errorCode, answer.errorMessage)
    return answer
  })
  return answer.topics
    .filter(({ name }) => wanted === undefined || wanted.has(name))
    .flatMap(({ name: topic, partitions }) =>
      partitions.map((one) => ({
        topic,
        partition: one.partitionIndex,
        replicas: one.replicas,
        adding: one.addingReplicas,
        removing: one.removingReplicas,
      })),
    )
}
