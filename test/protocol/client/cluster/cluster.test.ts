import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { findCoordinator } from '../../../../protocol/kafka/apis/findCoordinator.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import type { Network } from '../../../../protocol/runtime/network/network.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { drive } from '../drive.ts'
import { FakeCluster } from '../fakeBroker.ts'

describe('Cluster', () => {
  let clock: ManualClock
  let network: Network
  let fake: FakeCluster
  let cluster: Cluster

  beforeEach(async () => {
    clock = new ManualClock()
    network = memoryNetwork()
    fake = await FakeCluster.start(network, clock, { brokers: 3 })
    cluster = client([fake.addresses[0]!])
  })
  afterEach(async () => {
    await cluster.close()
    await fake.close()
  })

  function client(bootstrap: { host: string; port: number }[]): Cluster {
    const runtime = { clock, network, random: seededRandom(3), scheduler: systemScheduler }
    return new Cluster(runtime, { bootstrap, clientId: 'test' })
  }

  test('a topic is auto-created only if allowAutoTopicCreation is true', async () => {
    fake.topics.create('orders', 1)
    const allowed: boolean[] = []
    const ask = fake.handlerOf(metadata)
    fake.handle(metadata, (request, context) => {
      allowed.push(request.allowAutoTopicCreation)
      return ask(request, context)
    })
    await cluster.leader('orders', 0)
    const runtime = { clock, network, random: seededRandom(3), scheduler: systemScheduler }
    const options = { bootstrap: [fake.addresses[0]!], clientId: 'test' }
    const reading = new Cluster(runtime, { ...options, allowAutoTopicCreation: false })
    await reading.leader('orders', 0)
    await reading.close()
    expect(allowed).toEqual([true, false])
  })

  test('finds the leader of each partition and reuses its connection', async () => {
    fake.topics.create('orders', 6, 3)
    const places = await Promise.all(
      [0, 1, 2, 3, 4, 5].map(async (partition) => await cluster.leader('orders', partition)),
    )
    expect(places.map(({ remoteAddress }) => remoteAddress)).toEqual(
      [0, 1, 2, 0, 1, 2].map((broker) => `broker-${broker}:9092`),
    )
    expect(places[0]).toBe(places[3])
    expect(fake.asked.get('Metadata')).toBe(1)
    // One connection for each broker, and one for the separate lane `fetch`.
    await cluster.leader('orders', 0, 'fetch')
    expect(fake.asked.get('ApiVersions')).toBe(4)
    expect(await cluster.partitionCount('orders')).toBe(6)
  })

  test('invalidated metadata is requested again', async () => {
    const [partition] = fake.topics.create('orders', 1, 3)
    await cluster.leader('orders', 0)
    partition!.leader = 2
    expect((await cluster.leader('orders', 0)).remoteAddress).toBe('broker-0:9092')
    cluster.invalidate('orders')
    expect((await cluster.leader('orders', 0)).remoteAddress).toBe('broker-2:9092')
  })

  test('an unknown topic is a retriable failure', async () => {
    const asking = cluster.leader('nowhere', 0).catch((error) => error)
    const failed = await drive(clock, asking)
    expect(failed.errorCode).toBe(ErrorCode.unknownTopicOrPartition)
    const found = cluster.retrying(10_000, () => cluster.leader('nowhere', 0))
    await clock.advanceAndSettle(500)
    fake.topics.create('nowhere', 1, 3)
    expect((await drive(clock, found)).isOpen).toBe(true)
  })

  test('a topic created by its metadata request is found by the repeated request', async () => {
    const counting = cluster.partitionCount('new')
    await clock.advanceAndSettle(0)
    expect(fake.asked.get('Metadata')).toBe(1)
    fake.topics.create('new', 2, 3)
    expect(await drive(clock, counting)).toBe(2)
    expect(fake.asked.get('Metadata')).toBe(2)
  })

  test('a lost connection is reopened on its next use', async () => {
    fake.topics.create('orders', 1, 3)
    const first = await cluster.leader('orders', 0)
    fake.dropConnections()
    await clock.advanceAndSettle(0)
    expect(first.isOpen).toBe(false)
    const second = await cluster.leader('orders', 0)
    expect(second.isOpen).toBe(true)
    expect(second).not.toBe(first)
  })

  test('any() reaches the only broker that answers, wherever it is in the list', async () => {
    const nobody = { host: 'gone', port: 1 }
    await cluster.close()
    cluster = client([nobody, nobody, fake.addresses[1]!, nobody])
    expect((await cluster.any()).remoteAddress).toBe('broker-1:9092')
  })

  test('an unreachable cluster fails with its addresses, and attempts back off', async () => {
    await cluster.close()
    cluster = client([{ host: 'gone', port: 1 }])
    const startMs = clock.monotonicMs()
    const waits: number[] = []
    for (let attempt = 0; attempt < 6; attempt++) {
      const failed = await drive(
        clock,
        cluster.any().catch((error) => error),
        1,
      )
      expect(failed.code).toBe('CONNECTION_REFUSED')
      expect(failed.message).toContain('gone:1')
      waits.push(clock.monotonicMs() - startMs)
    }
    const between = waits.slice(1).map((wait, index) => wait - waits[index]!)
    expect(between[0]).toBeGreaterThanOrEqual(80)
    expect(between[0]).toBeLessThan(130)
    expect(between[4]).toBeGreaterThanOrEqual(800)
    expect(between[4]).toBeLessThan(1010)
  })

  test('the coordinator is cached until it is dropped', async () => {
    expect((await cluster.coordinator('g')).remoteAddress).toBe('broker-0:9092')
    await cluster.coordinator('g')
    expect(fake.asked.get('FindCoordinator')).toBe(1)
    const { host, port } = fake.addresses[2]!
    fake.handle(findCoordinator, () => ({
      coordinators: [{ key: 'g', nodeId: 2, host, port, errorCode: 0, errorMessage: null }],
    }))
    cluster.forgetCoordinator('g')
    expect((await cluster.coordinator('g')).remoteAddress).toBe('broker-2:9092')
  })

  test('the coordinator response of older brokers is decoded', async () => {
    fake.claimed.set(findCoordinator.key, { minVersion: 0, maxVersion: 2 })
    expect((await cluster.coordinator('g')).remoteAddress).toBe('broker-0:9092')
    fake.handle(findCoordinator, () => ({
      errorCode: ErrorCode.coordinatorNotAvailable,
      errorMessage: null,
      nodeId: -1,
      host: '',
      port: -1,
    }))
    cluster.forgetCoordinator('g')
    await expect(cluster.coordinator('g')).rejects.toMatchObject({
      errorCode: ErrorCode.coordinatorNotAvailable,
    })
  })

  test('retrying fails at its timeout with the last error, and at once for a final one', async () => {
    let tries = 0
    const late = cluster.retrying(2000, () => {
      tries++
      return cluster.leader('nowhere', 0)
    })
    await expect(drive(clock, late)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    expect(tries).toBeGreaterThan(3)
    await expect(cluster.retrying(2000, () => Promise.reject(new Error('odd')))).rejects.toThrow(
      'odd',
    )
  })

  test('after close every request fails, pending ones included', async () => {
    const waiting = cluster.retrying(Infinity, () => cluster.leader('nowhere', 0))
    const failed = expect(waiting).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
    await clock.advanceAndSettle(10)
    await cluster.close()
    await failed
    await expect(cluster.any()).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
    expect(clock.pendingTimers).toBe(0)
  })

  test('concurrent metadata requests for one topic are merged', async () => {
    fake.topics.create('orders', 2, 3)
    const ask = fake.handlerOf(metadata)
    fake.handle(metadata, async (request, context) => ask(request, context))
    await Promise.all([
      cluster.leader('orders', 0),
      cluster.partitionCount('orders'),
      cluster.topicId('orders'),
      cluster.leader('orders', 1),
    ])
    expect(fake.asked.get('Metadata')).toBe(1)
  })
})
