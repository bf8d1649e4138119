// IncrementalAlterConfigs: changes single configs of topics, brokers, loggers and groups, and
// leaves the others unchanged.

import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { alterEach } from '../configs/configChanges.ts'
import { handler } from '../request/handler.ts'

export const incrementalAlterConfigsHandler = handler(
  incrementalAlterConfigs,
  async ({ resources, validateOnly }, { broker }) => {
    const wishes = resources.map(({ resourceType, resourceName, configs }) => ({
      resourceType,
      resourceName,
      changes: configs.map(({ name, configOperation, value }) => ({
        name,
        operation: configOperation,
        value,
      })),
      replacesAll: false,
    }))
    return { responses: await alterEach(wishes, validateOnly, broker) }
  },
)
