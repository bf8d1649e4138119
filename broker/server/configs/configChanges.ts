// Applies the config changes of one request, resource by resource. Each resource has its own
// outcome: a refused resource does not prevent the others.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { type ConfigRequest, ResourceType } from '../../controller/configRequests.ts'
import type { ConfigOutcome } from '../../controller/controller.ts'
import { byKey } from '../repeated.ts'
import type { BrokerParts } from '../request/requestContext.ts'
import { alterLoggers } from './loggerConfigs.ts'

const namedTwice: ConfigOutcome = {
  errorCode: ErrorCode.invalidRequest,
  message: 'the request contains the resource more than once',
}

export async function alterEach(
  wishes: readonly ConfigRequest[],
  validateOnly: boolean,
  broker: BrokerParts,
) {
  const { repeated } = byKey(wishes, keyOf)
  return await Promise.all(
    wishes.map(async (wish) => {
      const { errorCode, message } = repeated.has(keyOf(wish))
        ? namedTwice
        : await alter(wish, validateOnly, broker)
      const { resourceType, resourceName } = wish
      return { errorCode, errorMessage: message, resourceType, resourceName }
    }),
  )
}

async function alter(
  wish: ConfigRequest,
  validateOnly: boolean,
  broker: BrokerParts,
): Promise<ConfigOutcome> {
  if (wish.resourceType === ResourceType.brokerLogger) {
    return alterLoggers(wish, validateOnly, broker)
  }
  return await broker.controller.alterConfigs(wish, validateOnly)
}

function keyOf({ resourceType, resourceName }: ConfigRequest): string {
  return `${resourceType} ${resourceName}`
}
