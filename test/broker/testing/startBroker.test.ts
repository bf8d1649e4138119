// Starting and closing brokers within tests: addresses, stored data, leftovers.

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startBroker, TestBrokerError } from '../../../broker/testing/testing.ts'
import { eventually } from '../../interop/eventually.ts'
import { MemoryLogger } from '../../memoryLogger.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-testing-'))
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  return directory
}

function kafkaOf(broker: { readonly bootstrap: string }): Kafka {
  return new Kafka({
    brokers: [broker.bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 10, maxRetryTime: 100 },
  })
}

async function send(broker: { readonly bootstrap: string }, topic: string, value: string) {
  const producer = kafkaOf(broker).producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value }] })
  await producer.disconnect()
}

async function endOffset(broker: { readonly bootstrap: string }, topic: string): Promise<string> {
  const admin = kafkaOf(broker).admin()
  await admin.connect()
  const [offset] = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  return offset!.offset
}

async function topicsOf(broker: { readonly bootstrap: string }): Promise<string[]> {
  const admin = kafkaOf(broker).admin()
  await admin.connect()
  const topics = await admin.listTopics()
  await admin.disconnect()
  return topics.sort()
}

describe('a started broker', () => {
  it('serves clients at its bootstrap address, with the topics that it was given', async () => {
    await using broker = await startBroker({
      topics: ['orders', { name: 'wide', partitions: 3, configs: { 'cleanup.policy': 'compact' } }],
    })
    expect(broker.bootstrap).toBe(`127.0.0.1:${broker.port}`)
    expect(broker.clusterId).toHaveLength(22)
    const admin = kafkaOf(broker).admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata()
    expect(topics.map(({ name, partitions }) => [name, partitions.length]).sort()).toEqual([
      ['orders', 1],
      ['wide', 3],
    ])
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: 'wide', configNames: ['cleanup.policy'] }],
    })
    expect(resources[0]!.configEntries[0]!.configValue).toBe('compact')
    await admin.disconnect()
  })

  it('shares no state with other brokers', async () => {
    await using first = await startBroker({ topics: ['of-first'] })
    await using second = await startBroker({ topics: ['of-second'] })
    expect(first.port).not.toBe(second.port)
    expect(first.clusterId).not.toBe(second.clusterId)
    await send(first, 'of-first', 'x')
    expect(await topicsOf(first)).toEqual(['of-first'])
    expect(await topicsOf(second)).toEqual(['of-second'])
  })

  it('creates topics on request, and automatically for clients unless disabled', async () => {
    await using broker = await startBroker()
    await broker.createTopic('made')
    await expect(broker.createTopic('made')).rejects.toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' })
    await send(broker, 'asked-for', 'x')
    expect(await topicsOf(broker)).toEqual(['asked-for', 'made'])

    await using strict = await startBroker({ autoCreateTopics: false })
    const producer = kafkaOf(strict).producer({ retry: { retries: 0 } })
    await producer.connect()
    await expect(producer.send({ topic: 'missing', messages: [{ value: 'x' }] })).rejects.toThrow()
    await producer.disconnect()
    expect(await topicsOf(strict)).toEqual([])
  })

  it('logs to the logger that it is given', async () => {
    const logger = new MemoryLogger()
    await using broker = await startBroker({ logger })
    expect(broker.isRunning).toBe(true)
    expect(logger.lines.map(({ message }) => message)).toContain('broker started')
  })

  it('runs in real time under fake timers', async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'],
    })
    try {
      await using broker = await startBroker({ topics: ['orders'] })
      await broker.createTopic('more')
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('storage', () => {
  it('in memory does not use the disk', async () => {
    const directory = await temporaryDirectory()
    const before = process.cwd()
    process.chdir(directory)
    cleanups.push(async () => process.chdir(before))
    await using broker = await startBroker({ topics: ['orders'] })
    await send(broker, 'orders', 'x')
    expect(await readdir(directory)).toEqual([])
    expect(await readdir('/')).not.toContain('memory')
  })

  it.each(['memory', 'a directory'])('in %s survives a restart', async (where) => {
    const directory = where === 'memory' ? undefined : join(await temporaryDirectory(), 'new')
    await using broker = await startBroker({
      topics: ['orders'],
      ...(directory === undefined ? {} : { directory }),
    })
    const { bootstrap, clusterId } = broker
    await send(broker, 'orders', 'x')
    await broker.restart()
    expect(broker.bootstrap).toBe(bootstrap)
    expect(broker.clusterId).toBe(clusterId)
    expect(await endOffset(broker, 'orders')).toBe('1')
    await send(broker, 'orders', 'y')
    expect(await endOffset(broker, 'orders')).toBe('2')
  })

  it('in a directory is reused by the next broker, which creates only missing topics', async () => {
    const directory = await temporaryDirectory()
    {
      await using first = await startBroker({ directory, topics: ['orders'] })
      await send(first, 'orders', 'x')
    }
    await using second = await startBroker({ directory, topics: ['orders', 'more'] })
    expect(await endOffset(second, 'orders')).toBe('1')
    expect(await topicsOf(second)).toEqual(['more', 'orders'])
    await expect(startBroker({ directory })).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
  })

  it('in memory is bounded', async () => {
    await using broker = await startBroker({ topics: ['orders'], memoryBytes: 1024 * 1024 })
    const producer = kafkaOf(broker).producer({ retry: { retries: 0 } })
    await producer.connect()
    const fill = async () => {
      for (let sent = 0; sent < 20; sent++) {
        await producer.send({ topic: 'orders', messages: [{ value: 'x'.repeat(100_000) }] })
      }
    }
    await expect(fill()).rejects.toThrow(/storage error|KAFKA_STORAGE_ERROR|disk/i)
    await producer.disconnect()
  })
})

describe('the end', () => {
  it('frees the port', async () => {
    const broker = await startBroker()
    const { port } = broker
    await broker.close()
    await using next = await startBroker({ port })
    expect(next.port).toBe(port)
    await expect(startBroker({ port })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  })

  it('may be requested twice, and while the broker starts or stops', async () => {
    const broker = await startBroker()
    await Promise.all([broker.close(), broker.close(), broker.stop()])
    await broker.close()
    expect(broker.isRunning).toBe(false)

    const other = await startBroker()
    const [stopped, started] = await Promise.allSettled([
      other.stop(),
      other.start(),
      other.close(),
    ])
    expect(stopped.status).toBe('fulfilled')
    expect(started).toMatchObject({
      reason: { message: 'the broker is closed: start another one' },
    })
    expect(other.isRunning).toBe(false)
  })

  it('makes every call fail with an error that says so', async () => {
    const broker = await startBroker()
    await broker.stop()
    const stopped = { code: 'NOT_RUNNING', message: 'the broker is stopped: call start() first' }
    await expect(broker.createTopic('late')).rejects.toMatchObject(stopped)
    await broker.start()
    await broker.createTopic('in-time')
    await broker.close()
    const closed = { code: 'NOT_RUNNING', message: 'the broker is closed: start another one' }
    await expect(broker.createTopic('late')).rejects.toMatchObject(closed)
    await expect(broker.start()).rejects.toMatchObject(closed)
    await expect(broker.restart()).rejects.toMatchObject(closed)
  })

  it('does not wait for clients that poll for records or join a group', async () => {
    const broker = await startBroker({
      topics: ['orders'],
      config: { 'group.initial.rebalance.delay.ms': 60_000 },
    })
    const kafka = kafkaOf(broker)
    const waits = kafka.consumer({ groupId: 'joins' })
    await waits.connect()
    await waits.subscribe({ topic: 'orders' })
    const running = waits.run({ eachMessage: async () => {} })
    await eventually('a member', () => broker.isRunning)
    const socket = net.connect(broker.port, broker.host)
    await new Promise((resolve) => socket.once('connect', resolve))
    const ended = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => {})
    await broker.close()
    await ended
    await running.catch(() => {})
    await waits.disconnect()
  })
})

describe('mistakes', () => {
  it.each([
    [{ topic: ['orders'] }, /unknown option topic: did you mean topics\?/],
    [{ port: -1 }, /port is -1, but must be 0 to 65535/],
    [{ port: 1.5 }, /port is 1.5/],
    [{ host: '0.0.0.0' }, /host is 0.0.0.0, which no client can connect to/],
    [{ directory: '' }, /directory is empty/],
    [{ directory: '/tmp/x', memoryBytes: 2 ** 20 }, /memoryBytes and directory exclude each other/],
    [{ memoryBytes: 1000 }, /memoryBytes is 1000, but must be at least 1048576/],
    [{ topics: [''] }, /a topic has no name/],
    [{ topics: [{ name: 'x', partitions: 0 }] }, /topic x has 0 partitions, but must have 1 to/],
    [
      { config: { 'message.max.byte': 1 } },
      /unknown broker option message.max.byte: did you mean message.max.b/,
    ],
    [{ config: { 'num.partitions': 'many' } }, /num.partitions is "many", but must be 1 to/],
    [{ config: { 'log.dirs': '/x' } }, /use directory instead of log.dirs/],
  ])('%j is refused', async (options, message) => {
    const error = await startBroker(options as object).catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(TestBrokerError)
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
  })

  it.each([
    ['a name that Kafka does not allow', 'no spaces', 'INVALID_TOPIC_EXCEPTION'],
    ['an unknown configuration', { name: 'x', configs: { 'clean.up': 1 } }, 'INVALID_CONFIG'],
  ])('%s is reported by the broker, and nothing is left open', async (_, topic, code) => {
    await expect(startBroker({ topics: [topic] })).rejects.toMatchObject({ code })
  })
})
