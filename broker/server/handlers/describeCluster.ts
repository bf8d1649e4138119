// Says who the brokers are, without topics.

import { describeCluster } from '../../../protocol/kafka/apis/describeCluster.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { allOperations, noOperations } from '../authorizedOperations.ts'
import { handler } from '../handler.ts'

const EndpointType = { brokers: 1 } as const

export const describeClusterHandler = handler(describeCluster, (request, context) => {
  const { broker, advertised } = context
  const { nodeId, controller } = broker
  const served = request.endpointType === EndpointType.brokers
  return {
    throttleTimeMs: 0,
    errorCode: served ? ErrorCode.none : ErrorCode.unsupportedEndpointType,
    errorMessage: served ? null : 'only brokers can be asked for here',
    endpointType: EndpointType.brokers,
    clusterId: controller.clusterId,
    controllerId: nodeId,
    brokers: served
      ? [
          {
            brokerId: nodeId,
            host: advertised.host,
            port: advertised.port,
            rack: null,
            isFenced: false,
          },
        ]
      : [],
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? allOperations.cluster
      : noOperations,
  }
})
