// The replicas that partitions are being moved to.

import { listPartitionReassignments } from '../../kafka/apis/listPartitionReassignments.ts'
import type { Reassignment } from '../adminApi.ts'
import { type AdminRequests, throwUnlessNone } from './adminRequests.ts'

/** Those in progress; of all topics unless given. Brokers since Kafka 2.4. */
export async function listReassignments(
  requests: AdminRequests,
  topics?: readonly string[],
): Promise<Reassignment[]> {
  const wanted = topics && new Set(topics)
  const answer = await requests.retrying(async () => {
    const connection = await requests.controller()
    const timeoutMs = requests.requestTimeoutMs
    // Asked for by topic, partitions have to be named, too; few are ever in progress.
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
