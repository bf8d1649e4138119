// A broker in this process, reached through memory, with the topic of the orders: the setup of
// agent and engine in the demo.

import { startBroker } from '../../../broker/broker.ts'
import { brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import type { Address } from '../../../protocol/runtime/network/network.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import type { Runtime } from '../../../protocol/runtime/runtime.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'

export const ordersTopic = 'orders'
export const ordersPartitions = 2

export interface InsideBroker {
  readonly address: Address
  /** The runtime with the network that the broker listens on. */
  readonly runtime: Runtime
  readonly cluster: Cluster
  close(): Promise<void>
}

/** Starts a broker with its data in `directory`, and with the default flush settings. */
export async function startInsideBroker(directory: string): Promise<InsideBroker> {
  const network = memoryNetwork()
  const runtime = nodeRuntime(network)
  const address = { host: 'bench.inside', port: 9092 }
  const broker = await startBroker({
    runtime,
    logger: silentLogger,
    config: brokerConfig({ 'log.dir': directory }),
    listeners: [{ name: 'INSIDE', network, address }],
  })
  const cluster = new Cluster(runtime, { bootstrap: [address], clientId: 'bench' })
  const close = async () => {
    await cluster.close()
    await broker.close()
  }
  try {
    const topic = { name: ordersTopic, partitions: ordersPartitions }
    await new Admin(cluster).createTopics([topic])
  } catch (error) {
    await close()
    throw error
  }
  return { address, runtime, cluster, close }
}
