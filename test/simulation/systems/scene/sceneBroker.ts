// The configuration of a scene's broker: as the system `broker` draws it, with one data directory,
// so that a failed one ends the process and its operator starts it again.

import type { BrokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import { drawBrokerParameters } from '../broker/brokerParameters.ts'

export function drawSceneBroker(random: Random): Partial<BrokerConfig> {
  const { config } = drawBrokerParameters(random)
  // Filling the reserve would be half of the work of a run.
  return { ...config, 'log.dirs': '/data', 'log.dir.reserved.bytes': 0 }
}
