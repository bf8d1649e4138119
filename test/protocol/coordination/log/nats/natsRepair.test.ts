// A repair of the log on real servers: members notice it, nobody can append to the old stream, and
// of two repairs at the same time one succeeds.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LogHistory } from '../../../../../protocol/coordination/log/coordinationLog.ts'
import type { NatsLog } from '../../../../../protocol/coordination/log/nats/natsLog.ts'
import { repairNatsLog } from '../../../../../protocol/coordination/log/nats/natsRepair.ts'
import { randomUuid, systemRandom, uuidText } from '../../../../../protocol/runtime/random.ts'
import { until } from '../../../../eventLoop.ts'
import { currentNatsServer, debianNatsServer } from '../../../../peers/natsBinary.ts'
import { NatsServers } from '../../../../peers/natsServers.ts'
import { Recorder } from '../coordinationLogConformance.ts'
import { openMember } from './natsMembers.ts'
import { StreamAdmin } from './streamAdmin.ts'

const random = systemRandom()
const closing: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close()
})

const kinds = [
  { binary: debianNatsServer(), count: 1 },
  { binary: await currentNatsServer(), count: 3 },
] as const

describe.for(kinds.filter(({ binary }) => binary !== undefined))(
  'nats-server $binary.version, $count of them',
  ({ binary, count }) => {
    let servers: NatsServers
    let logs = 0
    let name: string
    beforeAll(async () => {
      servers = await NatsServers.start({ binary: binary!, count, syncsAlways: count === 3 })
    })
    afterAll(() => servers?.close())
    beforeEach(() => {
      name = `log${logs++}`
    })

    async function connectAdmin(): Promise<StreamAdmin> {
      const admin = await StreamAdmin.connect(servers.addresses)
      closing.push(admin)
      return admin
    }

    async function openLoaded(): Promise<NatsLog> {
      const { addresses } = servers
      const log = await openMember({ addresses, replicas: count, name })
      closing.push(log)
      await until(async () => (await log.load().catch(unavailable)) !== undefined)
      return log
    }

    const target = ({ link }: StreamAdmin) => ({ link, name, replicas: count, random })

    test('members notice a repair and go on with its snapshot', async () => {
      const admin = await connectAdmin()
      const log = await openLoaded()
      const recorder = new Recorder(0)
      log.subscribe(0, recorder)
      for (const sequence of [1, 2, 3]) await log.append(sequence, Buffer.from(`${sequence}`))
      await until(() => recorder.sequence === 3)

      const repaired = history(2, 'everything of a process')
      const result = await repairNatsLog(target(admin), repaired)
      expect(result).toEqual({ stream: `${name}-g2`, oldStream: `${name}-g1`, isOldSealed: true })
      await expect(log.append(4, Buffer.from('late'))).rejects.toMatchObject({
        code: 'COORDINATION_UNAVAILABLE',
      })
      await until(() => recorder.identities.length > 0)
      expect(recorder.identities).toEqual([repaired.identity])

      const loaded = await log.load()
      expect(loaded).toMatchObject({ identity: repaired.identity, entries: [], lastSequence: 0 })
      expect(Buffer.from(loaded.snapshot!.bytes).toString()).toBe('everything of a process')
      const again = new Recorder(0)
      log.subscribe(0, again)
      expect(await log.append(1, Buffer.from('first'))).toBe('appended')
      await until(() => again.sequence === 1)
      expect(again.texts).toEqual(['first'])
      expect(recorder.texts).toEqual(['1', '2', '3'])
    })

    test('of two repairs at the same time, exactly one succeeds', async () => {
      const admin = await connectAdmin()
      const other = await connectAdmin()
      await openLoaded()
      const copies = [history(2, 'one copy'), history(2, 'another copy')] as const
      const outcomes = await Promise.allSettled([
        repairNatsLog(target(admin), copies[0]),
        repairNatsLog(target(other), copies[1]),
      ])
      const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
      const loser = outcomes[1 - winner] as PromiseRejectedResult
      expect(loser.status).toBe('rejected')
      expect(loser.reason).toMatchObject({ code: 'COORDINATION_REFUSED' })
      const loaded = await (await openLoaded()).load()
      expect(loaded.identity).toEqual(copies[winner]!.identity)
      expect(Buffer.from(loaded.snapshot!.bytes).toString()).toBe(
        ['one copy', 'another copy'][winner],
      )
    })

    test('a log whose streams were deleted can be repaired', async () => {
      const admin = await connectAdmin()
      const log = await openLoaded()
      const recorder = new Recorder(0)
      log.subscribe(0, recorder)
      await admin.delete(`${name}-g1`)
      await admin.delete(`${name}-snapshots`)
      const repaired = history(2, 'a copy')
      const { oldStream } = await repairNatsLog(target(admin), repaired)
      expect(oldStream).toBeUndefined()
      await until(() => recorder.identities.length > 0)
      expect((await log.load()).identity).toEqual(repaired.identity)
    })

    test('a generation whose stream was deleted after a repair is not mistaken for an empty log', async () => {
      const admin = await connectAdmin()
      await openLoaded()
      await repairNatsLog(target(admin), history(2, 'a copy'))
      await admin.delete(`${name}-g2`)
      await expect(openLoaded()).rejects.toMatchObject({ code: 'COORDINATION_DAMAGED' })
    })

    test('a repaired log without its snapshot is damaged', async () => {
      const admin = await connectAdmin()
      await openLoaded()
      await repairNatsLog(target(admin), history(2, 'a copy'))
      await admin.delete(`${name}-snapshots`)
      await expect(openLoaded()).rejects.toMatchObject({ code: 'COORDINATION_DAMAGED' })
    })
  },
)

function unavailable(error: unknown): undefined {
  if ((error as { code?: string }).code !== 'COORDINATION_UNAVAILABLE') throw error
}

function history(generation: number, state: string): LogHistory {
  const identity = { generation, id: uuidText(randomUuid(random)) }
  return {
    identity,
    snapshot: { sequence: 0, bytes: Buffer.from(state) },
    entries: [],
    lastSequence: 0,
  }
}
