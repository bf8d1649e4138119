// Servers that are cut off from each other, in network namespaces: an old leader's answers are not
// believed, and members go on where the majority is.

import { afterEach, describe, expect, test } from 'vitest'
import type { NatsLog } from '../../../../../protocol/coordination/log/nats/natsLog.ts'
import { until } from '../../../../eventLoop.ts'
import { currentNatsServer } from '../../../../peers/natsBinary.ts'
import { NatsServers } from '../../../../peers/natsServers.ts'
import { hasNetworkNamespaces } from '../../../../peers/networkNamespaces.ts'
import { Recorder } from '../coordinationLogConformance.ts'
import { openMember } from './natsMembers.ts'
import { StreamAdmin } from './streamAdmin.ts'

const binary = await currentNatsServer()
/** Elections take 4 to 9 s, on a machine with nothing else to do. */
const slow = { timeout: 180_000 }
const closing: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close()
})

describe.skipIf(binary === undefined || !hasNetworkNamespaces())('network namespaces', () => {
  async function start(): Promise<{ servers: NatsServers; admin: StreamAdmin }> {
    const servers = await NatsServers.start({ binary: binary!, count: 3, isolation: 'namespaces' })
    closing.push(servers)
    const admin = await StreamAdmin.connect(servers.addresses)
    closing.push(admin)
    return { servers, admin }
  }

  /** A member that connects to one server first, and learns of the others there. */
  async function openAt({ addresses }: NatsServers, index: number): Promise<NatsLog> {
    const options = { addresses, replicas: 3, name: 'log', confirmMs: 60_000 }
    const log = await openMember(options, [addresses[index]!])
    closing.push(log)
    await until(async () => (await log.load().catch(unavailable)) !== undefined)
    return log
  }

  async function append(log: NatsLog, sequence: number): Promise<void> {
    const bytes = Buffer.from(`entry ${sequence}`)
    await until(async () => (await log.append(sequence, bytes).catch(unavailable)) === 'appended')
  }

  test('a member on a leader that was cut off believes nothing and moves on', slow, async () => {
    const { servers, admin } = await start()
    await append(await openAt(servers, 0), 1)
    const old = await admin.leader('log-g1')
    const others = [0, 1, 2].filter((index) => index !== old)
    const member = await openAt(servers, old)
    const recorder = new Recorder(1)
    member.subscribe(1, recorder)
    const majority = await openAt(servers, others[0]!)

    for (const other of others) servers.separate(old, other)
    await append(majority, 2)
    // The old leader still says that the log ends at 1: that must not count as all there is.
    const atOnce = await member.read(1).catch((error) => error.code)
    expect(atOnce === 'COORDINATION_UNAVAILABLE' || atOnce.length === 1).toBe(true)
    await until(() => recorder.sequence === 2)
    expect(recorder.reachable).toEqual([false, true])
    await append(member, 3)
    await until(() => recorder.sequence === 3)

    for (const other of others) servers.join(old, other)
    const late = await openAt(servers, old)
    await until(async () => (await late.read(0).catch(unavailable))?.length === 3)
    expect(recorder.texts).toEqual(['entry 2', 'entry 3'])
    expect(recorder.lostAt).toEqual([])
    expect(recorder.disorder).toBeUndefined()
  })
})

function unavailable(error: unknown): undefined {
  if ((error as { code?: string }).code !== 'COORDINATION_UNAVAILABLE') throw error
}
