// Carries out the changes of one request, resource by resource: each has an outcome of its own, and
// what one refuses does not keep the others from changing.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { ConfigWish } from '../controller/configRequests.ts'
import type { ConfigOutcome } from '../controller/controller.ts'
import { byKey } from './repeated.ts'
import type { BrokerParts } from './requestContext.ts'

const namedTwice: ConfigOutcome = {
  errorCode: ErrorCode.invalidRequest,
  message: 'the resource is in the request twice',
}

export async function alterEach(
  wishes: readonly ConfigWish[],
  validateOnly: boolean,
  { controller }: BrokerParts,
) {
  const { repeated } = byKey(wishes, keyOf)
  return await Promise.all(
    wishes.map(async (wish) => {
      const { errorCode, message } = repeated.has(keyOf(wish))
        ? namedTwice
        : await controller.alterConfigs(wish, validateOnly)
      const { resourceType, resourceName } = wish
      return { errorCode, errorMessage: message, resourceType, resourceName }
    }),
  )
}

function keyOf({ resourceType, resourceName }: ConfigWish): string {
  return `${resourceType} ${resourceName}`
}
