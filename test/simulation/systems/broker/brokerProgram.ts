// The process of a simulated broker: what the command line of a broker does, without one.

import { type Broker, startBroker } from '../../../../broker/broker.ts'
import { type BrokerConfig, brokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import { isOperational } from '../../../../protocol/runtime/operational.ts'
import type { Logger } from '../../../../protocol/telemetry/logging/logger.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'

export const brokerPort = 9092
export const brokerProcess = 'broker'

export interface BrokerRun {
  readonly process: SimulatedProcess
  /** Undefined while it starts. */
  broker: Broker | undefined
  isStopping?: boolean
}

/** Starts a broker; rejects if it cannot start. Ends the process when the broker has failed. */
export async function runBroker(
  run: BrokerRun,
  config: Partial<BrokerConfig>,
  logger: Logger,
): Promise<void> {
  const { process } = run
  const { runtime, host } = process
  const broker = await startBroker({
    runtime,
    logger,
    config: brokerConfig({ 'log.dir': '/data', ...config }),
    listeners: [
      {
        name: 'SIMULATED',
        network: runtime.network,
        address: { host: host.name, port: brokerPort },
      },
    ],
    openStore: process.openStore,
  })
  run.broker = broker
  void broker.failed.then(() => stopBroker(run))
}

/** Closes the broker as the command line does, and ends the process. */
export function stopBroker(run: BrokerRun): void {
  const { process, broker } = run
  run.isStopping = true
  if (broker === undefined) process.exit()
  else broker.close().then(() => process.exit(), closed)

  function closed(error: unknown): void {
    if (!isOperational(error)) throw error
    process.exit()
  }
}
