// Topics on a broker of a benchmark.

import { Admin, type NewTopic } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { systemRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import type { Server } from './childProcess.ts'

export async function withCluster<Result>(
  { port }: Server,
  work: (cluster: Cluster) => Promise<Result>,
): Promise<Result> {
  const runtime = {
    clock: systemClock,
    random: systemRandom(),
    network: tcpNetwork,
    scheduler: systemScheduler,
  }
  const bootstrap = [{ host: '127.0.0.1', port }]
  const cluster = new Cluster(runtime, { bootstrap, clientId: 'bench' })
  try {
    return await work(cluster)
  } finally {
    await cluster.close()
  }
}

export async function createTopics(server: Server, topics: readonly NewTopic[]): Promise<void> {
  await withCluster(server, (cluster) => new Admin(cluster).createTopics(topics))
}
