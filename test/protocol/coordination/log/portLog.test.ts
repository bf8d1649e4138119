// The coordination log over a port: conformance, and what happens when a worker is slow or ends.

import { MessageChannel, Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import type { LogEntry } from '../../../../protocol/coordination/log/coordinationLog.ts'
import { type LevelLog, openLevelLog } from '../../../../protocol/coordination/log/levelLog.ts'
import { MemoryLogServer } from '../../../../protocol/coordination/log/memoryLog.ts'
import {
  type LogPort,
  logOverPort,
  serveLog,
} from '../../../../protocol/coordination/log/portLog.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { MemoryStores } from '../../../../protocol/runtime/store/memoryStore.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { until } from '../../../eventLoop.ts'
import {
  coordinationLogConformance,
  type LogsUnderTest,
  Recorder,
} from './coordinationLogConformance.ts'

function openOwner(stores = new MemoryStores()): Promise<LevelLog> {
  const options = { makeRoom: async () => false, random: seededRandom(1), clock: systemClock }
  return openLevelLog({ ...options, directory: '/data/__coordination' }, stores.open)
}

/** The member `a` is the owner's thread; the others are behind ports. */
async function levelLogs(): Promise<LogsUnderTest> {
  const stores = new MemoryStores()
  let owner = await openOwner(stores)
  return {
    async open(member) {
      if (member === 'a') return owner.open(member)
      const { port1, port2 } = new MessageChannel()
      serveLog(owner.open(member), port1)
      return logOverPort(port2)
    },
    until,
    async restart() {
      await owner.close()
      owner = await openOwner(stores)
    },
    close: () => owner.close(),
  }
}

/** With what only the log in memory can: damage, and members that are cut off. */
async function memoryLogs(): Promise<LogsUnderTest> {
  const server = new MemoryLogServer({
    clock: systemClock,
    scheduler: systemScheduler,
    random: seededRandom(1),
    requestTimeoutMs: 50,
    noticeMs: 5,
  })
  return {
    async open(member) {
      const { port1, port2 } = new MessageChannel()
      serveLog(server.open(member), port1)
      return logOverPort(port2)
    },
    until,
    close: async () => {},
    setReachable: (member, isReachable) =>
      server.setReachable(member, { toLog: isReachable, fromLog: isReachable }),
    recreate: async () => server.recreate(),
    loseSuffix: async (count) => server.loseSuffix(count),
  }
}

coordinationLogConformance('portLog of a levelLog', levelLogs, { propertyRuns: 20 })
coordinationLogConformance('portLog of a memoryLog', memoryLogs, {
  manyEntries: 200,
  propertyRuns: 10,
})

type Posted = { kind: string; id: number; delivery?: { event: string; entry: LogEntry } }

/** A port whose other end is the test. */
class TestPort implements LogPort {
  readonly posted: Posted[] = []
  #receive: ((message: unknown) => void) | undefined
  #closed: ((event: unknown) => void) | undefined

  postMessage(message: unknown): void {
    this.posted.push(message as Posted)
  }

  on(event: 'message' | 'close', listener: (message: unknown) => void): this {
    if (event === 'message') this.#receive = listener
    else this.#closed = listener
    return this
  }

  receive(message: object): void {
    this.#receive!(message)
  }

  close(): void {
    this.#closed!(undefined)
  }

  ref(): void {}
  unref(): void {}
}

describe('serveLog', () => {
  test('deliveries to a slow worker are bounded, and complete in the end', async () => {
    const owner = await openOwner()
    const port = new TestPort()
    serveLog(owner.open('worker'), port)
    const log = owner.open('a')
    const entry = Buffer.alloc(512 * 1024)
    for (let sequence = 1; sequence <= 40; sequence++) await log.append(sequence, entry)
    port.receive({ kind: 'subscribe', id: 1, sequence: 0 })
    await settle()
    // 8 MiB are 16 entries.
    expect(port.posted).toHaveLength(16)
    let acknowledged = 0
    while (port.posted.length < 40) {
      while (acknowledged < port.posted.length) {
        acknowledged++
        port.receive({ kind: 'delivered', id: 1, bytes: 256 + entry.length })
      }
      await settle()
      expect(port.posted.length - acknowledged).toBeLessThanOrEqual(16)
    }
    const sequences = port.posted.map(({ delivery }) => delivery!.entry.sequence)
    expect(sequences).toEqual(Array.from({ length: 40 }, (_, at) => at + 1))
    await owner.close()
  })

  test('the calls of a worker are bounded', async () => {
    const owner = await openOwner()
    const port = new TestPort()
    serveLog(owner.open('worker'), port)
    for (let id = 1; id <= 257; id++) {
      port.receive({ kind: 'call', id, call: { name: 'read', sequence: 0 } })
    }
    await settle()
    const failures = port.posted.filter(({ kind }) => kind === 'failure')
    expect(failures).toMatchObject([{ id: 257, code: 'COORDINATION_BUSY' }])
    expect(port.posted).toHaveLength(257)
    await owner.close()
  })

  test('the member of a worker that has ended is closed', async () => {
    const owner = await openOwner()
    const port = new TestPort()
    serveLog(owner.open('worker'), port)
    port.receive({ kind: 'subscribe', id: 1, sequence: 0 })
    const log = owner.open('a')
    expect(log.isShared).toBe(true)
    port.close()
    expect(log.isShared).toBe(false)
    await log.append(1, Buffer.from('one'))
    await settle()
    expect(port.posted).toEqual([])
    await owner.close()
  })
})

describe('logOverPort', () => {
  test('says as the owner whether appends apply late, and the worst before it knows', async () => {
    const owner = await openOwner()
    const { port1, port2 } = new MessageChannel()
    serveLog(owner.open('worker'), port1)
    const log = logOverPort(port2)
    expect(log.appliesLate).toBe(true)
    await log.load()
    expect(log.appliesLate).toBe(false)
    await log.close()
    await owner.close()
  })

  test('calls are rejected, and listeners told, when the owner closes the port', async () => {
    const port = new TestPort()
    const log = logOverPort(port)
    const recorder = new Recorder(0)
    log.subscribe(0, recorder)
    const calls: Promise<unknown>[] = [log.load(), log.append(1, Buffer.from('one'))]
    port.close()
    calls.push(log.read(0))
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({ code: 'COORDINATION_UNAVAILABLE' })
    }
    expect(recorder.reachable).toEqual([false])
    await log.close()
  })

  test('at most 256 calls are outstanding', async () => {
    const log = logOverPort(new TestPort())
    for (let call = 0; call < 256; call++) void log.read(0).catch(() => {})
    await expect(log.read(0)).rejects.toMatchObject({ code: 'COORDINATION_BUSY' })
  })

  test('worker threads append beside their owner, and their members end with them', async () => {
    const owner = await openOwner()
    const log = owner.open('a')
    const recorder = new Recorder(0)
    log.subscribe(0, recorder)
    const exits = [1, 2].map((number) => {
      const { port1, port2 } = new MessageChannel()
      serveLog(owner.open(`worker ${number}`), port1)
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(workerCode)}`), {
        workerData: {
          module: new URL('../../../../protocol/coordination/log/portLog.ts', import.meta.url).href,
          port: port2,
          number,
        },
        transferList: [port2],
      })
      return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve))
    })
    expect(await Promise.all(exits)).toEqual([0, 0])
    await until(() => !log.isShared)
    await until(() => recorder.sequence === 100)
    expect(recorder.disorder).toBeUndefined()
    for (const number of [1, 2]) {
      const own = recorder.texts.filter((text) => text.startsWith(`${number} `))
      expect(own).toEqual(Array.from({ length: 50 }, (_, at) => `${number} ${at}`))
    }
    await owner.close()
  })
})

/** Appends fifty entries among those of others, and does not close the log. */
const workerCode = `
  import { workerData } from 'node:worker_threads'
  const { logOverPort } = await import(workerData.module)
  const log = logOverPort(workerData.port)
  let { lastSequence } = await log.load()
  for (let number = 0; number < 50; ) {
    const bytes = Buffer.from(workerData.number + ' ' + number)
    if ((await log.append(lastSequence + 1, bytes)) === 'appended') {
      lastSequence++
      number++
    } else lastSequence += (await log.read(lastSequence)).length
  }
`
