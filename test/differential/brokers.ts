// The two brokers that scenarios run against, configured alike: fast where a test would otherwise
// wait (rebalances, cleaning, retention, timed-out transactions), and with Kafka's defaults
// otherwise.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findCoordinator } from '../../protocol/kafka/apis/findCoordinator.ts'
import { initProducerId } from '../../protocol/kafka/apis/initProducerId.ts'
import { offsetFetch } from '../../protocol/kafka/apis/offsetFetch.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { RawClient } from '../broker/server/memoryBroker.ts'
import { eventually } from '../interop/eventually.ts'
import { TestBroker } from '../interop/testBroker.ts'
import { KafkaPeer } from '../peers/kafka.ts'

/** The target of the scenarios. `nowMs` is the time at which it was set up. */
export interface BrokerSetup {
  readonly address: string
  readonly nowMs: number
}

export interface RunningBroker extends BrokerSetup {
  stop(): Promise<void>
}

/** The configuration of both brokers. */
export const settings = {
  'group.initial.rebalance.delay.ms': 0,
  'group.consumer.heartbeat.interval.ms': 100,
  'group.consumer.min.heartbeat.interval.ms': 100,
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.num.partitions': 1,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 100,
  'log.cleaner.backoff.ms': 100,
  'log.initial.task.delay.ms': 100,
  'log.retention.check.interval.ms': 100,
} as const

export async function startOurs(): Promise<RunningBroker> {
  const broker = await TestBroker.start(settings)
  return { address: broker.address, nowMs: Date.now(), stop: () => broker.stop() }
}

export async function startKafka(): Promise<RunningBroker> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-'))
  const properties = { ...settings, 'log.cleaner.dedupe.buffer.size': 2_097_152 }
  const peer = await KafkaPeer.start({ directory, heapMegabytes: 384, properties })
  const stop = async () => {
    await peer.stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await untilCoordinating(peer.port)
  } catch (error) {
    await stop()
    throw error
  }
  return { address: peer.address, nowMs: Date.now(), stop }
}

/** Kafka serves requests before it can assign producer ids or coordinate anything. */
async function untilCoordinating(port: number): Promise<void> {
  const client = new RawClient(await tcpNetwork.connect({ host: '127.0.0.1', port }, 10_000))
  const coordinators = async (keyType: number) => {
    const request = { keyType, coordinatorKeys: ['any'] }
    return (await client.send(findCoordinator, 4, request)).coordinators[0]!.errorCode
  }
  const producer = async (transactionalId: string | null) =>
    (await client.send(initProducerId, 4, { transactionalId, transactionTimeoutMs: 1000 }))
      .errorCode
  const group = async () => {
    const request = { groups: [{ groupId: 'any', topics: null }] }
    return (await client.send(offsetFetch, 8, request)).groups[0]!.errorCode
  }
  const ready = async () => {
    const asked = [() => coordinators(0), () => coordinators(1), () => producer(null)]
    for (const ask of [...asked, () => producer('any'), group]) {
      if ((await ask()) !== ErrorCode.none) return false
    }
    return true
  }
  try {
    await eventually('the coordinators', ready)
  } finally {
    client.close()
  }
}
