// The log on real servers that are killed, paused, restarted, put back to older copies of their
// data, and whose streams are deleted: no entry is lost or there twice, subscriptions miss nothing,
// and what was lost is noticed.

import { afterEach, describe, expect, test } from 'vitest'
import { CoordinationError } from '../../../../../protocol/coordination/coordinationError.ts'
import type { LogEntry } from '../../../../../protocol/coordination/log/coordinationLog.ts'
import { connectNats } from '../../../../../protocol/coordination/log/nats/natsLink.ts'
import type { NatsLog } from '../../../../../protocol/coordination/log/nats/natsLog.ts'
import { systemRandom } from '../../../../../protocol/runtime/random.ts'
import { systemClock } from '../../../../../protocol/runtime/time/clock.ts'
import { until } from '../../../../eventLoop.ts'
import {
  currentNatsServer,
  debianNatsServer,
  type NatsBinary,
} from '../../../../peers/natsBinary.ts'
import { NatsServers } from '../../../../peers/natsServers.ts'
import { Recorder } from '../coordinationLogConformance.ts'
import { Appender } from './appender.ts'
import { memberOn, openMember } from './natsMembers.ts'
import { StreamAdmin } from './streamAdmin.ts'

const debian = debianNatsServer()
const current = await currentNatsServer()
/** Elections take 4 to 9 s, on a machine with nothing else to do. */
const slow = { timeout: 180_000 }
const closing: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close()
})

function later<T extends { close(): Promise<void> }>(one: T): T {
  closing.push(one)
  return one
}

async function startServers(binary: NatsBinary, count: 1 | 3): Promise<NatsServers> {
  return later(await NatsServers.start({ binary, count, syncsAlways: count === 3 }))
}

async function openLoaded(servers: NatsServers, confirmMs?: number): Promise<NatsLog> {
  const { addresses } = servers
  const replicas = addresses.length
  const confirm = confirmMs === undefined ? {} : { confirmMs }
  const log = later(await openMember({ addresses, replicas, name: 'log', ...confirm }))
  await until(async () => (await log.load().catch(unavailable)) !== undefined)
  return log
}

async function appendAll(log: NatsLog, from: number, count: number, text: string): Promise<void> {
  for (let sequence = from; sequence < from + count; sequence++) {
    const bytes = Buffer.from(`${text} ${sequence}`)
    await until(async () => (await log.append(sequence, bytes).catch(unavailable)) === 'appended')
  }
}

function unavailable(error: unknown): undefined {
  if ((error as { code?: string }).code !== 'COORDINATION_UNAVAILABLE') throw error
}

function record(log: NatsLog, sequence: number): Recorder {
  const recorder = new Recorder(sequence)
  log.subscribe(sequence, recorder)
  return recorder
}

async function readAll(log: NatsLog): Promise<readonly LogEntry[]> {
  let entries: readonly LogEntry[] | undefined
  await until(async () => {
    entries = await log.read(0).catch(unavailable)
    return entries !== undefined
  })
  return entries!
}

describe.skipIf(current === undefined)('three servers', () => {
  test('appends while leaders are killed or paused are there once', slow, async () => {
    const servers = await startServers(current!, 3)
    const logs = [await openLoaded(servers), await openLoaded(servers)]
    const watching = await openLoaded(servers)
    const recorder = record(watching, 0)
    const appenders = logs.map((log, at) => new Appender(log, `member ${at}`, 1))
    const admin = later(await StreamAdmin.connect(servers.addresses))
    for (const appender of appenders) appender.start()
    const count = () => appenders.reduce((sum, { appended }) => sum + appended.size, 0)
    const progress = async () => {
      const before = count()
      await until(() => count() > before + 50)
    }
    await progress()

    const killed = await admin.leader('log-g1')
    await servers.kill(killed)
    await progress()
    await servers.start(killed)

    const paused = await admin.leader('log-g1')
    servers.pause(paused)
    await progress()
    servers.resume(paused)
    await progress()

    for (const appender of appenders) await appender.stop()
    const entries = await readAll(logs[0]!)
    await until(() => recorder.sequence >= entries.length)
    const texts = entries.map(({ bytes }) => Buffer.from(bytes).toString())
    expect(new Set(texts).size).toBe(texts.length)
    for (const { appended } of appenders) {
      for (const [sequence, text] of appended) expect(texts[sequence - 1]).toBe(text)
    }
    expect(count()).toBe(texts.length)
    expect(recorder.disorder).toBeUndefined()
    expect(recorder.texts).toEqual(texts)
    expect(recorder.lostAt).toEqual([])
    expect(recorder.identities).toEqual([])
    const unknown = appenders.reduce((sum, one) => sum + one.unknown, 0)
    expect(unknown).toBeGreaterThan(0)
    console.log(`${texts.length} entries, ${unknown} outcomes unknown at first`)
  })

  test('data that is put back to an older copy on all servers is noticed', slow, async () => {
    const servers = await startServers(current!, 3)
    const log = await openLoaded(servers, 300)
    const recorder = record(log, 0)
    await appendAll(log, 1, 5, 'entry')
    await servers.stopAll()
    const copy = await servers.copyStores()
    await servers.startAll()
    await appendAll(log, 6, 3, 'entry')
    await until(() => recorder.sequence === 8)
    await servers.stopAll()
    await servers.restoreStores(copy)
    await servers.startAll()
    await until(() => recorder.lostAt.length > 0)
    expect(recorder.lostAt).toEqual([5])
    expect(recorder.disorder).toBeUndefined()
    // A read says so as well, once it is certain.
    await until(async () => (await log.read(5).catch(unavailable))?.length === 0)
  })
})

for (const binary of [debian, current]) {
  describe.skipIf(binary === undefined)(`one server ${binary?.version}`, () => {
    test('an append whose answer is lost is not a conflict with its own trimmed entry', async () => {
      const servers = await startServers(binary!, 1)
      const other = await openLoaded(servers)
      const { addresses } = servers
      const dependencies = { clock: systemClock, random: systemRandom() }
      const link = await connectNats({ servers: addresses, requestTimeoutMs: 500 }, dependencies)
      const log = later(memberOn(link, 'log', 1, { keptEntries: 0 }))
      await log.load()
      const append = link.append.bind(link)
      link.append = async (...request) => {
        link.append = append
        await append(...request)
        await log.writeSnapshot({ sequence: 1, bytes: Buffer.from('state at 1') })
        throw new CoordinationError('COORDINATION_UNAVAILABLE', 'no answer')
      }
      await expect(log.append(1, Buffer.from('own'))).rejects.toThrow('a snapshot has replaced')
      expect(await other.append(1, Buffer.from('other'))).toBe('conflict')
    })

    test('subscriptions miss nothing when the server is killed and restarted', async () => {
      const servers = await startServers(binary!, 1)
      const log = await openLoaded(servers)
      const watching = await openLoaded(servers)
      const recorder = record(watching, 0)
      for (let round = 0; round < 3; round++) {
        await appendAll(log, round * 10 + 1, 10, 'entry')
        await servers.kill(0)
        await until(() => recorder.reachable.at(-1) === false)
        await servers.start(0)
      }
      await appendAll(log, 31, 1, 'entry')
      await until(() => recorder.sequence === 31 && recorder.reachable.at(-1) === true)
      const expected = Array.from({ length: 31 }, (_, at) => `entry ${at + 1}`)
      expect(recorder.texts).toEqual(expected)
      expect(recorder.disorder).toBeUndefined()
      expect(recorder.lostAt).toEqual([])
    })

    test('data that is put back to an older copy is noticed', async () => {
      const servers = await startServers(binary!, 1)
      const log = await openLoaded(servers)
      const recorder = record(log, 0)
      await appendAll(log, 1, 5, 'entry')
      await servers.stop(0)
      const copy = await servers.copyStores()
      await servers.start(0)
      await appendAll(log, 6, 5, 'entry')
      await until(() => recorder.sequence === 10)
      await servers.stop(0)
      await servers.restoreStores(copy)
      await servers.start(0)
      await until(() => recorder.lostAt.length > 0)
      expect(recorder.lostAt).toEqual([5])
      // The member that has folded ten entries appends after them only.
      await expect(log.append(11, Buffer.from('more'))).rejects.toMatchObject({
        code: 'COORDINATION_DAMAGED',
      })
    })

    test('an older copy that went on differently is not mistaken for the log', async () => {
      const servers = await startServers(binary!, 1)
      const log = await openLoaded(servers)
      const recorder = record(log, 0)
      await appendAll(log, 1, 5, 'entry')
      await servers.stop(0)
      const copy = await servers.copyStores()
      await servers.start(0)
      await appendAll(log, 6, 5, 'entry')
      await until(() => recorder.sequence === 10)
      await servers.stop(0)
      await servers.restoreStores(copy)
      await servers.start(0)
      const other = await openLoaded(servers)
      await appendAll(other, 6, 2, 'another')
      await until(() => recorder.lostAt.length > 0)
      expect(recorder.texts).toHaveLength(10)
      expect(await other.read(5)).toHaveLength(2)
    })

    test('a stream that is deleted under its members is noticed', async () => {
      const servers = await startServers(binary!, 1)
      const log = await openLoaded(servers)
      const recorder = record(log, 0)
      await appendAll(log, 1, 2, 'entry')
      await until(() => recorder.sequence === 2)
      const admin = later(await StreamAdmin.connect(servers.addresses))
      await admin.delete('log-g1')
      await until(() => recorder.lostAt.length > 0)
      expect(recorder.lostAt).toEqual([0])
      await expect(log.append(3, Buffer.from('three'))).rejects.toMatchObject({
        code: 'COORDINATION_UNAVAILABLE',
      })
    })
  })
}
