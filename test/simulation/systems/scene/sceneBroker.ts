// The configuration of a scene's broker: as the system `broker` draws it, with one data directory,
// so that a failed one ends the process and its operator starts it again.

import type { BrokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import { drawBrokerParameters } from '../broker/brokerParameters.ts'

export function drawSceneBroker(random: Random): Partial<BrokerConfig> {
  const { config } = drawBrokerParameters(random)
  return {
    ...config,
    'log.dirs': '/data',
    // Filling the reserve, and looking for work every 20 ms, would be half of the work of a run.
    'log.dir.reserved.bytes': 0,
    'log.retention.check.interval.ms': 200,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200,
  }
}
