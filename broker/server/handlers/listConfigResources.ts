// ListConfigResources: lists the resources that have configs: all topics, this broker, its loggers
// (under the broker's id, as in Kafka), and the groups for which configs are set.

import { listConfigResources } from '../../../protocol/kafka/apis/listConfigResources.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { ResourceType } from '../../controller/configRequests.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

/**
 * First version with resource types. Earlier ones list client metrics only, of which there are
 * none.
 */
const typesVersion = 1
const known: ReadonlySet<number> = new Set(Object.values(ResourceType))

export const listConfigResourcesHandler = handler(
  listConfigResources,
  ({ resourceTypes }, { broker, apiVersion }) => {
    if (apiVersion < typesVersion) return answer(ErrorCode.none)
    if (resourceTypes.some((type) => !known.has(type))) return answer(ErrorCode.unsupportedVersion)
    const wanted = resourceTypes.length === 0 ? known : new Set(resourceTypes)
    const resources = [...wanted].flatMap((resourceType) =>
      namesOf(resourceType, broker).map((resourceName) => ({ resourceName, resourceType })),
    )
    return answer(ErrorCode.none, resources)
  },
)

function namesOf(resourceType: number, { controller, nodeId }: BrokerParts): string[] {
  switch (resourceType) {
    case ResourceType.topic:
      return Array.from(controller.state.topics(), ({ name }) => name)
    case ResourceType.broker:
    case ResourceType.brokerLogger:
      return [String(nodeId)]
    case ResourceType.group:
      return [...controller.state.configuredGroups()]
    default:
      return []
  }
}

function answer(
  errorCode: number,
  configResources: { resourceName: string; resourceType: number }[] = [],
) {
  return { errorCode, configResources }
}
