// Says which broker coordinates a group. On a single node that is this one, at the address of the
// listener that the client came through.

import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../handler.ts'
import type { RequestContext } from '../requestContext.ts'

const KeyType = { group: 0, transaction: 1 } as const

/** From here on several keys are asked for at once. */
const batchedVersion = 4

export const findCoordinatorHandler = handler(findCoordinator, (request, context) => {
  const { key, keyType, coordinatorKeys } = request
  if (context.apiVersion < batchedVersion) return find(key, keyType, context)
  return { coordinators: coordinatorKeys.map((each) => find(each, keyType, context)) }
})

function find(key: string, keyType: number, { broker, advertised }: RequestContext) {
  if (keyType === KeyType.group) {
    const { host, port } = advertised
    return coordinator(key, { nodeId: broker.nodeId, host, port }, ErrorCode.none, null)
  }
  const nowhere = { nodeId: -1, host: '', port: -1 }
  return keyType === KeyType.transaction
    ? coordinator(
        key,
        nowhere,
        ErrorCode.transactionalIdAuthorizationFailed,
        'transactions are not served by this version of Millrace',
      )
    : coordinator(key, nowhere, ErrorCode.invalidRequest, `there is no key type ${keyType}`)
}

function coordinator(
  key: string,
  node: { readonly nodeId: number; readonly host: string; readonly port: number },
  errorCode: number,
  errorMessage: string | null,
) {
  return { key, ...node, errorCode, errorMessage }
}
