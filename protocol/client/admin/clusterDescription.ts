// The brokers of a cluster, its id and its controller.

import { describeCluster as describeClusterApi } from '../../kafka/apis/describeCluster.ts'
import { ErrorCode } from '../../kafka/errors.ts'
import type { ClusterDescription } from '../adminApi.ts'
import { type AdminRequests, throwUnlessNone } from './adminRequests.ts'

export async function describeCluster(requests: AdminRequests): Promise<ClusterDescription> {
  return await requests.retrying(async () => {
    const connection = await requests.cluster.any()
    if (!connection.supports(describeClusterApi)) return await fromMetadata(requests)
    const answer = await connection.send(describeClusterApi, {
      includeClusterAuthorizedOperations: false,
    })
    throwUnlessNone(answer.errorCode, answer.errorMessage)
    const brokers = answer.brokers.map(({ brokerId: id, host, port, rack }) => {
      return { id, host, port, rack }
    })
    return description(answer.clusterId, answer.controllerId, brokers)
  })
}

/** For brokers before Kafka 2.8. */
async function fromMetadata({ cluster }: AdminRequests): Promise<ClusterDescription> {
  const answer = await cluster.brokers()
  throwUnlessNone(answer.errorCode ?? ErrorCode.none, null)
  const brokers = answer.brokers.map(({ nodeId: id, host, port, rack }) => {
    return { id, host, port, rack }
  })
  return description(answer.clusterId ?? '', answer.controllerId, brokers)
}

function description(
  clusterId: string,
  controllerId: number,
  brokers: ClusterDescription['brokers'],
): ClusterDescription {
  const sorted = [...brokers].sort((one, other) => one.id - other.id)
  return { clusterId, controllerId, brokers: sorted }
}
