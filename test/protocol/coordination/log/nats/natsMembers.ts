// Members of a coordination log on real nats-servers, for tests: each with a connection of its own,
// through a proxy where it must be cut off.

import {
  connectNats,
  type NatsLink,
} from '../../../../../protocol/coordination/log/nats/natsLink.ts'
import { NatsLog } from '../../../../../protocol/coordination/log/nats/natsLog.ts'
import { systemRandom } from '../../../../../protocol/runtime/random.ts'
import { systemClock } from '../../../../../protocol/runtime/time/clock.ts'
import { until } from '../../../../eventLoop.ts'
import type { NatsServers } from '../../../../peers/natsServers.ts'
import type { LogsUnderTest } from '../coordinationLogConformance.ts'
import { CuttableProxy } from './cuttableProxy.ts'
import { StreamAdmin } from './streamAdmin.ts'

const dependencies = { clock: systemClock, random: systemRandom() }

export interface MembersOptions {
  readonly addresses: readonly string[]
  readonly replicas: number
  readonly name: string
  readonly keptEntries?: number
  readonly confirmMs?: number
  readonly requestTimeoutMs?: number
}

/** A member on a connection of its own. */
export async function openMember(
  { addresses, replicas, name, requestTimeoutMs = 2000, ...options }: MembersOptions,
  servers: readonly string[] = addresses,
): Promise<NatsLog> {
  const link = await connectNats({ servers, requestTimeoutMs }, dependencies)
  return memberOn(link, name, replicas, options)
}

/** A member on this connection, which it takes over. */
export function memberOn(
  link: NatsLink,
  name: string,
  replicas: number,
  options: Pick<MembersOptions, 'keptEntries' | 'confirmMs'>,
): NatsLog {
  return new NatsLog(link, name, replicas, { ...dependencies, checkIntervalMs: 200, ...options })
}

/** The log under test on servers that run already. */
export function logsOn(
  servers: NatsServers,
  more: Omit<MembersOptions, 'addresses'>,
): LogsUnderTest {
  const proxies = new Map<string, CuttableProxy>()
  const { addresses } = servers
  const options = { ...more, addresses }
  const { name } = options
  return {
    async open(member) {
      let proxy = proxies.get(member)
      if (proxy === undefined) {
        proxy = await CuttableProxy.start(addresses[proxies.size % addresses.length]!)
        proxies.set(member, proxy)
      }
      return openMember(options, [proxy.address])
    },
    until,
    setReachable: (member, isReachable) => proxies.get(member)!.setCut(!isReachable),
    async restart() {
      await servers.stopAll()
      await servers.startAll()
    },
    async recreate() {
      const admin = await StreamAdmin.connect(addresses)
      await admin.delete(`${name}-g1`)
      await admin.close()
      const other = await openMember(options)
      await other.load()
      await other.close()
    },
    async close() {
      for (const proxy of proxies.values()) await proxy.close()
    },
  }
}
