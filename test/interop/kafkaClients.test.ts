// The current Java clients of Apache Kafka: administration, producers, consumers of both group
// protocols, transactions, and Kafka's own errors for APIs that this broker does not serve.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasKafka } from '../peers/kafka.ts'
import { mavenJars } from '../peers/mavenJars.ts'
import { ScenarioProcess } from './scenarioProcess.ts'
import { TestBroker } from './testBroker.ts'

const version = '4.4.0'
/** The first use downloads the jars from Maven Central. */
const downloadTimeoutMs = 180_000

describe.runIf(hasKafka())(`the Java clients of Kafka ${version}`, () => {
  let broker: TestBroker
  let client: ScenarioProcess

  beforeAll(async () => {
    const jars = await mavenJars({
      name: `kafka-clients-${version}`,
      artifacts: [`org.apache.kafka:kafka-clients:${version}`, 'org.slf4j:slf4j-nop:1.7.36'],
    })
    broker = await TestBroker.start({ 'group.consumer.heartbeat.interval.ms': 500 })
    const options = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
    const program = join(import.meta.dirname, 'KafkaClients.java')
    const words = [...options, '-cp', join(jars, '*'), program, broker.address]
    client = new ScenarioProcess(spawn('java', words))
  }, downloadTimeoutMs)

  afterAll(async () => {
    await client?.stop()
    await broker?.stop()
  })

  it('administer topics, configs and features', async () => {
    expect(await client.run('administration')).toEqual({
      partitions: 3,
      nodes: 1,
      retention: '3600000',
      resources: ['BROKER 1', 'BROKER_LOGGER 1'],
      latest: 0,
      level: 2,
      downgrade: 'InvalidUpdateVersionException',
    })
  })

  it('write and read in every compression', async () => {
    const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
    expect(await client.run('compressions')).toEqual(
      Object.fromEntries(compressions.map((name) => [name, true])),
    )
  })

  it.each([
    ['classic', 'Classic'],
    ['consumer', 'Consumer'],
  ])('share partitions in the %s group protocol', async (protocol, type) => {
    expect(await client.run(`${protocol}Group`)).toEqual({
      shares: [2, 2],
      seen: true,
      groups: [`${type} Stable`],
      after: 4,
      committed: 100,
    })
  })

  it.each(['classic', 'consumer'])(
    'subscribe by a regular expression in the %s group protocol',
    async (protocol) => {
      const result = { first: ['first'], late: ['late'] }
      expect(await client.run(`${protocol}Pattern`)).toEqual(result)
    },
  )

  it('commit and abort transactions, and are fenced', async () => {
    expect(await client.run('transactions')).toEqual({
      committed: 2,
      out: ['A', 'B'],
      uncommitted: ['aborted', 'A', 'B'],
      // Which of the two errors depends on what the client detects first, also with Kafka's broker.
      fenced: expect.stringMatching(/^(ProducerFenced|InvalidProducerEpoch)Exception$/),
    })
  })

  it('do not see a topic that was deleted', async () => {
    expect(await client.run('deletion')).toEqual({
      described: 'UnknownTopicOrPartitionException',
      listed: false,
    })
  })

  it('get an error for APIs that are not served', async () => {
    expect(await client.run('notServed')).toEqual({
      quotas: 'UnsupportedVersionException',
      quorum: 'UnsupportedVersionException',
      shareGroup: 'UnsupportedVersionException',
    })
  })
})
