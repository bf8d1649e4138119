// Writes captured.jsonl: runs kafkajs, @platformatic/kafka, kcat, kafka-python and Kafka's own
// tools against a broker in this process that records their requests. For each client, API and
// version the first few requests of different lengths are kept. Needs kcat, java, mvn and python3
// with kafka.

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  Admin as PlatformaticAdmin,
  Consumer as PlatformaticConsumer,
  Producer as PlatformaticProducer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { startBroker } from '../../broker/broker.ts'
import { brokerConfig } from '../../broker/configuration/brokerOptions.ts'
import { apiByKey } from '../../protocol/kafka/apis.ts'
import { FrameSplitter } from '../../protocol/kafka/frame.ts'
import type { Connection, Network } from '../../protocol/runtime/network/network.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import { kcat } from '../interop/kcat.ts'
import { runJava } from '../peers/kafka.ts'
import { type CapturedFrame, capturedFile } from './capturedFrames.ts'

/** Maximum number of requests for each client, API and version, and their maximum length. */
const mostFrames = 2
const mostBytes = 2000
const waitMs = 1500

class Capture {
  client = ''
  readonly #frames = new Map<string, CapturedFrame[]>()

  /** A network that records received bytes. */
  on(network: Network): Network {
    return {
      connect: (address, timeoutMs) => network.connect(address, timeoutMs),
      listen: (address, onConnection) =>
        network.listen(address, (connection) => onConnection(this.#tapped(connection))),
    }
  }

  lines(): string {
    const frames = [...this.#frames.values()].flat()
    return frames.map((frame) => `${JSON.stringify(frame)}\n`).join('')
  }

  #tapped(connection: Connection): Connection {
    const splitter = new FrameSplitter(2 ** 30)
    const start = connection.start.bind(connection)
    connection.start = (handler) =>
      start({
        onData: (chunk) => {
          for (const frame of splitter.push(chunk)) this.#keep(frame)
          handler.onData(chunk)
        },
        onDrain: () => handler.onDrain(),
        onClose: (cause) => handler.onClose(cause),
      })
    return connection
  }

  #keep(frame: Buffer): void {
    const api = apiByKey(frame.readInt16BE(0))?.name
    if (api === undefined || frame.length > mostBytes) return
    const version = frame.readInt16BE(2)
    const key = `${this.client} ${api} ${version}`
    const kept = this.#frames.get(key) ?? []
    const text = frame.toString('base64')
    if (kept.length === mostFrames || kept.some((each) => each.frame.length === text.length)) return
    this.#frames.set(key, [...kept, { client: this.client, api, version, frame: text }])
  }
}

const capture = new Capture()
const directory = await mkdtemp(join(tmpdir(), 'millrace-capture-'))
const broker = await startBroker({
  runtime: nodeRuntime(tcpNetwork),
  logger: silentLogger,
  config: brokerConfig({
    'log.dir': join(directory, 'data'),
    'group.initial.rebalance.delay.ms': 0,
  }),
  listeners: [
    {
      name: 'PLAINTEXT',
      network: capture.on(tcpNetwork),
      address: { host: '127.0.0.1', port: 0 },
    },
  ],
})
const { address } = broker.listeners[0]!
const bootstrap = `127.0.0.1:${address.port}`
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  kafkajs: withKafkajs,
  platformatic: withPlatformatic,
  kcat: withKcat,
  python: withPython,
  java: withJava,
}
try {
  for (const [client, run] of Object.entries(scenarios)) {
    capture.client = client
    await run().catch((error: unknown) => console.error(`${client} did not get to its end:`, error))
  }
  await writeFile(capturedFile, capture.lines())
} finally {
  await broker.close()
  await rm(directory, { recursive: true, force: true })
}
process.exit()

async function withKafkajs(): Promise<void> {
  const kafka = new Kafka({ clientId: 'js', brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 't', numPartitions: 2 }] })
  const producer = kafka.producer({ transactionalId: 'tx', maxInFlightRequests: 1 })
  const messages = [{ key: 'k', value: 'v', headers: { h: 'x' } }, { value: 'w' }]
  await producer.connect()
  for (const compression of [0, 1]) await producer.send({ topic: 't', messages, compression })
  const transaction = await producer.transaction()
  await transaction.send({ topic: 't', messages })
  const offsets = [{ topic: 't', partitions: [{ partition: 0, offset: '1' }] }]
  await transaction.sendOffsets({ consumerGroupId: 'alone', topics: offsets })
  await transaction.commit()
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: 'join-1' })
  await consumer.connect()
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  await consumer.run({ eachMessage: async () => {} })
  await pause()
  await admin.describeGroups(['join-1'])
  await consumer.disconnect()
  await admin.listGroups()
  await admin.fetchOffsets({ groupId: 'join-1' })
  await admin.fetchTopicOffsets('t')
  await admin.describeConfigs({ includeSynonyms: true, resources: [{ type: 2, name: 't' }] })
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      { type: 2, name: 't', configEntries: [{ name: 'retention.ms', value: '1000000' }] },
    ],
  })
  await admin.createPartitions({ topicPartitions: [{ topic: 't', count: 3 }] })
  await admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 0, offset: '1' }] })
  await admin.describeCluster()
  await admin.deleteGroups(['join-1'])
  await admin.disconnect()
}

async function withPlatformatic(): Promise<void> {
  const options = { clientId: 'platformatic', bootstrapBrokers: [bootstrap], retries: 5 }
  const admin = new PlatformaticAdmin(options)
  await admin.createTopics({ topics: ['compacted'], partitions: 2 })
  for (const compression of codecs) {
    const producer = new PlatformaticProducer({
      ...options,
      serializers: stringSerializers,
      compression: compression as 'none',
      idempotent: compression === 'none',
    })
    await producer.send({ messages: [{ topic: 't', key: 'k', value: 'v', headers: { h: 'x' } }] })
    await producer.close()
  }
  for (const groupProtocol of ['classic', 'consumer'] as const) {
    const consumer = new PlatformaticConsumer({
      ...options,
      groupId: `consumer-${groupProtocol}`,
      groupProtocol,
      deserializers: stringDeserializers,
    })
    const stream = await consumer.consume({ topics: ['t'], mode: 'earliest', autocommit: 100 })
    stream.on('data', () => {})
    await pause()
    await stream.close()
    await consumer.close(true)
  }
  await admin.listGroups()
  await admin.describeGroups({ groups: ['consumer-classic'] })
  await admin.deleteGroups({ groups: ['consumer-classic'] })
  await admin.close()
}

async function withKcat(): Promise<void> {
  for (const codec of codecs) {
    await kcat(['-b', bootstrap, '-P', '-t', 't', '-z', codec, '-K:', '-H', 'h=x'], 'k:v\nk:w\n')
  }
  await kcat(['-b', bootstrap, '-L'])
  await kcat(['-b', bootstrap, '-Q', '-t', 't:0:-1', '-t', 't:1:0'])
  await kcat(['-b', bootstrap, '-C', '-t', 't', '-o', 'beginning', '-e'])
  await kcat(['-b', bootstrap, '-C', '-t', 't', '-X', 'isolation.level=read_committed', '-e'])
  await kcat(['-b', bootstrap, '-G', 'alone', '-c', '1', '-X', 'auto.offset.reset=earliest', 't'])
}

async function withPython(): Promise<void> {
  const program = `
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic, ConfigResource
address = '${bootstrap}'
admin = KafkaAdminClient(bootstrap_servers=address)
admin.create_topics([NewTopic('stamped', 1, 1)])
producer = KafkaProducer(bootstrap_servers=address, compression_type='gzip')
producer.send('stamped', key=b'k', value=b'v', headers=[('h', b'x')]).get(10)
producer.close()
consumer = KafkaConsumer('stamped', bootstrap_servers=address, group_id='m', auto_offset_reset='earliest', consumer_timeout_ms=2000)
for message in consumer: pass
consumer.commit()
consumer.offsets_for_times({TopicPartition('stamped', 0): 0})
consumer.close()
admin.list_consumer_groups()
admin.list_consumer_group_offsets('m')
admin.describe_consumer_groups(['m'])
admin.describe_configs([ConfigResource('topic', 't')])
admin.create_partitions({'stamped': NewPartitions(2)})
admin.delete_topics(['stamped'])
admin.close()
`
  await promisify(execFile)('/usr/bin/python3', ['-c', program], { timeout: 60_000 })
}

async function withJava(): Promise<void> {
  const tools = 'org.apache.kafka.tools'
  const server = ['--bootstrap-server', bootstrap]
  const runs: readonly (readonly [string, readonly string[], string?])[] = [
    [`${tools}.TopicCommand`, ['--create', '--topic', 'recent', '--partitions', '2']],
    [`${tools}.TopicCommand`, ['--describe']],
    [`${tools}.TopicCommand`, ['--alter', '--topic', 'recent', '--partitions', '3']],
    ['kafka.admin.ConfigCommand', ['--describe', '--all', '--topic', 't']],
    [
      'kafka.admin.ConfigCommand',
      ['--alter', '--topic', 't', '--add-config', 'retention.ms=1000000'],
    ],
    ...codecs.map(
      (codec) =>
        [
          `${tools}.ConsoleProducer`,
          ['--topic', 't', '--compression-codec', codec],
          'a\nb\n',
        ] as const,
    ),
    [
      `${tools}.consumer.ConsoleConsumer`,
      ['--topic', 't', '--group', 'join-1', '--from-beginning', '--timeout-ms', '3000'],
    ],
    [
      `${tools}.consumer.ConsoleConsumer`,
      [
        '--topic',
        't',
        '--group',
        'consumer-0',
        '--consumer-property',
        'group.protocol=consumer',
        '--from-beginning',
        '--timeout-ms',
        '3000',
      ],
    ],
    [`${tools}.consumer.group.ConsumerGroupCommand`, ['--describe', '--all-groups']],
    [
      `${tools}.consumer.group.ConsumerGroupCommand`,
      ['--reset-offsets', '--group', 'join-1', '--topic', 't', '--to-earliest', '--execute'],
    ],
    [
      `${tools}.consumer.group.ConsumerGroupCommand`,
      ['--delete-offsets', '--group', 'join-1', '--topic', 't'],
    ],
    [`${tools}.consumer.group.ConsumerGroupCommand`, ['--delete', '--group', 'join-1']],
    [`${tools}.GetOffsetShell`, ['--topic', 't', '--time', 'max-timestamp']],
    [`${tools}.LogDirsCommand`, ['--describe']],
    [`${tools}.TransactionsCommand`, ['list']],
    [`${tools}.TransactionsCommand`, ['describe', '--transactional-id', 'tx']],
    [`${tools}.TransactionsCommand`, ['describe-producers', '--topic', 't', '--partition', '0']],
    [
      `${tools}.ProducerPerformance`,
      [
        '--topic',
        't',
        '--num-records',
        '20',
        '--record-size',
        '20',
        '--throughput',
        '-1',
        '--transactional-id',
        'tx-2',
        '--producer-props',
        `bootstrap.servers=${bootstrap}`,
      ],
    ],
    [`${tools}.BrokerApiVersionsCommand`, []],
    [`${tools}.TopicCommand`, ['--delete', '--topic', 'recent']],
  ]
  for (const [tool, words, input] of runs) {
    const all = tool.endsWith('ProducerPerformance') ? words : [...server, ...words]
    const { code, stderr } = await runJava(tool, all, { input: input ?? '' })
    if (code !== 0) console.error(`${tool} ${words.join(' ')} ended with ${code}: ${stderr}`)
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, waitMs))
}
