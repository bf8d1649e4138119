// DescribeCluster: describes the brokers of the cluster and the controller.

import { describeCluster } from '../../../protocol/kafka/apis/describeCluster.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { operationsNotRequested } from '../gate/connectionAccess.ts'
import { handler } from '../request/handler.ts'

const EndpointType = { brokers: 1, controllers: 2 } as const

export const describeClusterHandler = handler(describeCluster, (request, context) => {
  const { broker, advertised } = context
  const { nodeId, controller } = broker
  if (request.endpointType !== EndpointType.brokers) return refuse(request.endpointType)
  return {
    errorCode: ErrorCode.none,
    endpointType: EndpointType.brokers,
    clusterId: controller.clusterId,
    controllerId: nodeId,
    brokers: [
      {
        brokerId: nodeId,
        host: advertised.host,
        port: advertised.port,
        rack: null,
        isFenced: false,
      },
    ],
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? context.access.clusterOperations
      : operationsNotRequested,
  }
})

function refuse(endpointType: number) {
  const isController = endpointType === EndpointType.controllers
  return {
    errorCode: isController ? ErrorCode.mismatchedEndpointType : ErrorCode.unsupportedEndpointType,
    errorMessage: isController
      ? 'this is the endpoint of a broker, which does not describe controllers'
      : `unknown endpoint type ${endpointType}`,
    clusterId: '',
    brokers: [],
  }
}
