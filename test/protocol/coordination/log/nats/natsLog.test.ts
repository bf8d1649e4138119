// The coordination log on NATS passes the conformance suite on Debian's server alone and on three
// current ones.

import { afterAll } from 'vitest'
import { currentNatsServer, debianNatsServer } from '../../../../peers/natsBinary.ts'
import { NatsServers } from '../../../../peers/natsServers.ts'
import { coordinationLogConformance } from '../coordinationLogConformance.ts'
import { logsOn } from './natsMembers.ts'

const debian = debianNatsServer()
const current = await currentNatsServer()
const started: NatsServers[] = []
afterAll(() => Promise.all(started.map((servers) => servers.close())))

if (debian !== undefined) {
  const servers = await NatsServers.start({ binary: debian, count: 1, syncsAlways: false })
  started.push(servers)
  conformance(`natsLog on nats-server ${debian.version} alone`, servers, {
    replicas: 1,
    keptEntries: 0,
  })
}
if (current !== undefined) {
  // A member whose connection is cut must not reach the log by another server.
  const servers = await NatsServers.start({ binary: current, count: 3, isAdvertised: false })
  started.push(servers)
  conformance(`natsLog on three nats-servers ${current.version}`, servers, {
    replicas: 3,
    keptEntries: 5,
    confirmMs: 100,
  })
}

function conformance(
  title: string,
  servers: NatsServers,
  options: { replicas: number; keptEntries: number; confirmMs?: number },
): void {
  let logs = 0
  coordinationLogConformance(
    title,
    async () => logsOn(servers, { ...options, name: `log${logs++}`, requestTimeoutMs: 700 }),
    { manyEntries: 200, races: 15, propertyRuns: 4 },
  )
}
