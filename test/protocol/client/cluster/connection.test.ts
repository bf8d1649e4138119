import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KafkaConnection } from '../../../../protocol/client/cluster/connection.ts'
import { apiVersions } from '../../../../protocol/kafka/apis/apiVersions.ts'
import { fetch } from '../../../../protocol/kafka/apis/fetch.ts'
import { heartbeat } from '../../../../protocol/kafka/apis/heartbeat.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import type { Connection, Network } from '../../../../protocol/runtime/network/network.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { FakeCluster } from '../fakeBroker.ts'

const options = { clientId: 'test', requestTimeoutMs: 1000 }

describe('KafkaConnection', () => {
  let clock: ManualClock
  let network: Network
  let fake: FakeCluster

  beforeEach(async () => {
    clock = new ManualClock()
    network = memoryNetwork()
    fake = await FakeCluster.start(network, clock)
  })
  afterEach(() => fake.close())

  const connect = () => KafkaConnection.connect({ clock, network }, fake.addresses[0]!, options)

  test('API versions are requested first, and the newest common version is used', async () => {
    fake.claimed.set(metadata.key, { minVersion: 0, maxVersion: 5 })
    const connection = await connect()
    expect(connection.versionOf(metadata)).toBe(5)
    expect(connection.versionOf(metadata, 3)).toBe(3)
    expect(connection.versionOf(fetch, 12)).toBe(12)
    const seen: number[] = []
    fake.handle(metadata, (_, { version }) => {
      seen.push(version)
      return { brokers: [], topics: [] }
    })
    await connection.send(metadata, { topics: [] })
    await connection.send(metadata, { topics: [] }, { version: 4 })
    expect(seen).toEqual([5, 4])
    connection.close()
  })

  test('a broker without ApiVersions 3 is asked with version 0', async () => {
    fake.claimed.set(apiVersions.key, { minVersion: 0, maxVersion: 2 })
    const connection = await connect()
    expect(fake.asked.get('ApiVersions')).toBe(2)
    expect(connection.versionOf(produce, 12)).toBe(12)
    connection.close()
  })

  test('NO_COMMON_VERSION names the ranges of both sides', async () => {
    fake.claimed.set(fetch.key, { minVersion: 30, maxVersion: 31 })
    const connection = await connect()
    expect(() => connection.versionOf(fetch)).toThrow(/30 to 31 of Fetch.*4 to 18/)
    const request = { maxWaitMs: 0, minBytes: 0, topics: [] }
    await expect(connection.send(fetch, request)).rejects.toMatchObject({
      code: 'NO_COMMON_VERSION',
    })
    connection.close()
  })

  test('requests are pipelined and answered in order', async () => {
    const connection = await connect()
    fake.handle(heartbeat, ({ generationId }) => ({ errorCode: generationId }))
    const answers = Array.from({ length: 500 }, (_, generationId) =>
      connection.send(heartbeat, { groupId: 'g', generationId, memberId: 'm' }),
    )
    const errorCodes = (await Promise.all(answers)).map(({ errorCode }) => errorCode)
    expect(errorCodes).toEqual(Array.from({ length: 500 }, (_, index) => index))
    connection.close()
  })

  test('a request that cannot be encoded fails alone', async () => {
    const connection = await connect()
    const answers = [
      connection.send(metadata, { topics: [] }),
      connection.send(heartbeat, { groupId: 'g', generationId: 2 ** 40, memberId: '' }),
      connection.send(metadata, { topics: [] }),
    ]
    const settled = await Promise.allSettled(answers)
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    connection.close()
  })

  test('an overdue response closes the connection and fails all requests', async () => {
    const connection = await connect()
    fake.handle(heartbeat, () => new Promise(() => {}))
    const request = { groupId: 'g', generationId: 1, memberId: 'm' }
    const slow = connection.send(heartbeat, request, { timeoutMs: 5000 }).catch((error) => error)
    await clock.advanceAndSettle(500)
    const second = connection.send(heartbeat, request).catch((error) => error)
    await clock.advanceAndSettle(999)
    expect(connection.isOpen).toBe(true)
    await clock.advanceAndSettle(1)
    expect(connection.isOpen).toBe(false)
    for (const failed of [await slow, await second]) {
      expect(failed.code).toBe('CONNECTION_TIMEOUT')
      expect(failed.message).toContain('Heartbeat within 1000 ms')
    }
    await expect(connection.send(heartbeat, request)).rejects.toMatchObject({
      code: 'CONNECTION_TIMEOUT',
    })
    expect(clock.pendingTimers).toBe(0)
  })

  test('a lost connection fails pending and later requests', async () => {
    const connection = await connect()
    fake.handle(metadata, () => undefined)
    const pending = [
      connection.send(metadata, { topics: [] }),
      connection.send(metadata, { topics: [] }),
    ]
    for (const request of pending) {
      await expect(request).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    }
    expect(connection.isOpen).toBe(false)
  })

  test('close fails pending requests', async () => {
    const connection = await connect()
    fake.handle(metadata, () => new Promise(() => {}))
    const pending = connection.send(metadata, { topics: [] })
    connection.close()
    await expect(pending).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
  })

  test('requests beyond the limit of waiting ones are refused', async () => {
    const connection = await connect()
    fake.handle(metadata, () => new Promise(() => {}))
    const all = Array.from({ length: 64 + 4096 + 1 }, () =>
      connection.send(metadata, { topics: [] }).catch((error) => error),
    )
    expect(await all.at(-1)).toMatchObject({ code: 'TOO_MANY_REQUESTS' })
    connection.close()
    expect(await all[0]).toMatchObject({ code: 'CLIENT_CLOSED' })
  })

  test.each([
    ['an answer without a request', Buffer.from([0, 0, 0, 4, 0, 0, 0, 99])],
    ['no Kafka at all', Buffer.from('HTTP/1.1 400 Bad Request')],
    ['a frame too short for a correlation id', Buffer.from([0, 0, 0, 1, 0])],
    ['an answer that ends early', Buffer.from([0, 0, 0, 6, 0, 0, 0, 0, 0, 0])],
  ])('%s closes the connection with what to check', async (_, bytes) => {
    const address = { host: 'other', port: 1 }
    const listener = await network.listen(address, (connection: Connection) =>
      connection.start({
        onData: () => connection.write([bytes]),
        onDrain() {},
        onClose() {},
      }),
    )
    const failure = await KafkaConnection.connect({ clock, network }, address, options).catch(
      (error) => error,
    )
    expect(failure.code).toBe('MALFORMED_RESPONSE')
    expect(failure.message).toContain('other:1')
    await listener.close()
  })

  test('requests wait while the socket is not writable', async () => {
    await fake.close()
    network = memoryNetwork({ highWaterBytes: 1000 })
    fake = await FakeCluster.start(network, clock)
    let stream!: Connection
    const plain = network
    network = {
      ...plain,
      async connect(address, timeoutMs) {
        stream = await plain.connect(address, timeoutMs)
        return stream
      },
    }
    const connection = await connect()
    fake.handle(heartbeat, () => ({ errorCode: 0 }))
    const groupId = 'g'.repeat(900)
    const answers = Array.from({ length: 50 }, () =>
      connection.send(heartbeat, { groupId, generationId: 0, memberId: '' }),
    )
    // One request above the mark, and no more: 64 would be allowed in flight.
    expect(stream.bufferedBytes).toBeGreaterThan(1000)
    expect(stream.bufferedBytes).toBeLessThan(2000)
    await Promise.all(answers)
    expect(fake.asked.get('Heartbeat')).toBe(50)
    connection.close()
    await settle()
  })
})
