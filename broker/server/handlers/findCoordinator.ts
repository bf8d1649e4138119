// FindCoordinator: returns the coordinator of a group or a transactional id. On a single node that
// is this broker, at the address of the listener that the client is connected to.

import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'
import type { RequestContext } from '../request/requestContext.ts'

const KeyType = { group: 0, transaction: 1 } as const

/** First version with several keys in a request. */
const batchedVersion = 4

export const findCoordinatorHandler = handler(findCoordinator, (request, context) => {
  const { key, keyType, coordinatorKeys } = request
  if (context.apiVersion < batchedVersion) return find(key, keyType, context)
  return { coordinators: coordinatorKeys.map((each) => find(each, keyType, context)) }
})

function find(key: string, keyType: number, { broker, advertised }: RequestContext) {
  if (keyType === KeyType.group || keyType === KeyType.transaction) {
    const { host, port } = advertised
    return { key, nodeId: broker.nodeId, host, port, errorCode: ErrorCode.none, errorMessage: null }
  }
  return {
    key,
    nodeId: -1,
    host: '',
    port: -1,
    errorCode: ErrorCode.invalidRequest,
    errorMessage: `this broker has no coordinator for key type ${keyType}`,
  }
}
