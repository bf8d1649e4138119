// AlterConfigs: replaces all configs of topics, brokers and groups. A config that the request does
// not name is reset to its default. Clients use IncrementalAlterConfigs instead if they can.

import { alterConfigs } from '../../../protocol/kafka/apis/alterConfigs.ts'
import { ConfigOperation } from '../../controller/configRequests.ts'
import { alterEach } from '../configs/configChanges.ts'
import { handler } from '../request/handler.ts'

export const alterConfigsHandler = handler(
  alterConfigs,
  async ({ resources, validateOnly }, { broker }) => {
    const wishes = resources.map(({ resourceType, resourceName, configs }) => ({
      resourceType,
      resourceName,
      changes: configs.map(({ name, value }) => ({
        name,
        operation: ConfigOperation.set,
        value,
      })),
      replacesAll: true,
    }))
    return { responses: await alterEach(wishes, validateOnly, broker) }
  },
)
