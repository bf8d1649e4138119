// The same requests to two REST servers, one over Millrace and one over real Kafka, get the same
// answers, except for values that depend on the cluster (its id, addresses, member ids, times) and
// for the differences named below.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GroupConsumer } from '../../protocol/client/consumer/consumer.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { RestFixture } from '../broker/admin/rest/restFixture.ts'
import { type RunningBroker, startKafka, startOurs } from '../differential/brokers.ts'
import { hasKafka } from '../peers/kafka.ts'
import { eventually } from './eventually.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

interface Step {
  readonly method?: Method
  /** Path below the cluster. `BROKER` stands for the id of the only broker. */
  readonly path: string
  readonly payload?: object
  /** Repeats the request until this holds: Kafka's broker shows changes with a delay. */
  readonly until?: (body: Body) => boolean
  /** Returns the compared part of the answer; by default all of it. */
  readonly of?: (body: Body) => unknown
}

// biome-ignore lint/suspicious/noExplicitAny: answers of any shape
type Body = any

const post = (path: string, payload: object): Step => ({ method: 'POST', path, payload })
const put = (path: string, value: string): Step => ({ method: 'PUT', path, payload: { value } })
const remove = (path: string): Step => ({ method: 'DELETE', path })
const get = (path: string, until?: Step['until']): Step => {
  return until === undefined ? { path } : { path, until }
}
const text = (data: string) => ({ value: { type: 'STRING', data } })
const entriesOf = (...names: string[]) => ({
  of: (body: Body) => body.data.filter(({ name }: Body) => names.includes(name)),
})

const scenarios: Readonly<Record<string, readonly Step[]>> = {
  'the cluster and its brokers': [
    get(''),
    get('/brokers'),
    get('/brokers/BROKER'),
    get('/brokers/99'),
    get('/brokers/99/configs'),
  ],
  topics: [
    post('/topics', {
      topic_name: 'orders',
      partitions_count: 2,
      replication_factor: 1,
      configs: [{ name: 'retention.ms', value: '86400000' }],
    }),
    get('/topics/orders', ({ partitions_count }) => partitions_count === 2),
    get('/topics/orders?include_authorized_operations=true'),
    get('/topics/orders/partitions'),
    get('/topics/orders/partitions/1'),
    get('/topics/orders/partitions/1/replicas'),
    get('/topics/orders/partitions/1/replicas/BROKER'),
    get('/topics/orders/partitions/1/replicas/99'),
    get('/topics/orders/partitions/1/reassignment'),
    get('/topics/orders/partitions/-/reassignment'),
    get('/topics/-/partitions/-/reassignment'),
    get('/topics/orders/partitions/2'),
    post('/topics', { topic_name: 'defaults' }),
    post('/topics', { topic_name: 'given', replicas_assignments: { 0: ['BROKER'] } }),
    post('/topics', { topic_name: 'checked', partitions_count: 3, validate_only: true }),
    get('/topics/checked'),
    { method: 'PATCH', path: '/topics/orders', payload: { partitions_count: 3 } },
    get('/topics/orders', ({ partitions_count }) => partitions_count === 3),
    remove('/topics/given'),
    get('/topics/given', ({ error_code }) => error_code === 40403),
    remove('/topics/given'),
  ],
  'topics that cannot be': [
    post('/topics', { topic_name: 'orders' }),
    post('/topics', { topic_name: 'a b' }),
    post('/topics', { topic_name: '..' }),
    post('/topics', { topic_name: 'x', partitions_count: 0 }),
    post('/topics', { topic_name: 'x', replication_factor: 2 }),
    post('/topics', { topic_name: 'x', configs: [{ name: 'no.such', value: '1' }] }),
    post('/topics', { topic_name: 'x', configs: [{ name: 'retention.ms', value: 'long' }] }),
    post('/topics', { topic_name: 'x', replicas_assignments: { 0: [99] } }),
    { method: 'PATCH', path: '/topics/orders', payload: { partitions_count: 1 } },
    { method: 'PATCH', path: '/topics/nowhere', payload: { partitions_count: 1 } },
  ],
  configurations: [
    get('/topics/orders/configs/retention.ms'),
    { ...get('/topics/orders/configs'), ...entriesOf('cleanup.policy', 'compression.type') },
    put('/topics/orders/configs/retention.ms', '5000'),
    get('/topics/orders/configs/retention.ms', ({ value }) => value === '5000'),
    post('/topics/orders/configs:alter', {
      data: [
        { name: 'retention.ms', operation: 'DELETE' },
        { name: 'cleanup.policy', value: 'compact' },
      ],
    }),
    get('/topics/orders/configs/cleanup.policy', ({ value }) => value === 'compact'),
    post('/topics/orders/configs:alter', {
      data: [{ name: 'cleanup.policy', value: 'shrink' }],
      validate_only: true,
    }),
    put('/topics/orders/configs/no.such', '1'),
    put('/topics/orders/configs/retention.ms', 'long'),
    put('/topics/nowhere/configs/retention.ms', '1'),
    get('/topics/nowhere/configs'),
    remove('/topics/orders/configs/cleanup.policy'),
    get('/topics/orders/configs/cleanup.policy', ({ value }) => value === 'delete'),
    get('/brokers/BROKER/configs/offsets.topic.num.partitions'),
    put('/brokers/BROKER/configs/node.id', '7'),
    put('/brokers/BROKER/configs/log.retention.ms', '7200000'),
    get('/brokers/BROKER/configs/log.retention.ms', ({ value }) => value === '7200000'),
    remove('/brokers/BROKER/configs/log.retention.ms'),
    get('/broker-configs/log.retention.ms'),
    put('/broker-configs/log.retention.ms', '7300000'),
    get('/broker-configs/log.retention.ms', ({ value }) => value === '7300000'),
    // Kafka 4.1 has min.insync.replicas there, for eligible leader replicas (KIP-966), which
    // Millrace lacks.
    { ...get('/broker-configs'), ...entriesOf('log.retention.ms') },
    remove('/broker-configs/log.retention.ms'),
    get('/broker-configs/log.retention.ms', ({ error_code }) => error_code === 404),
  ],
  records: [
    post('/topics/orders/records', { ...text('a'), partition_id: 0 }),
    post('/topics/orders/records', {
      partition_id: 0,
      key: { type: 'BINARY', data: 'AAE=' },
      value: { type: 'JSON', data: { a: [1, null] } },
      headers: [{ name: 'h', value: 'eA==' }],
      timestamp: '2026-02-05T19:14:42Z',
    }),
    post('/topics/orders/records', { key: { type: 'STRING', data: 'k' }, ...text('keyed') }),
    post('/topics/orders/records', { ...text('a'), partition_id: 9 }),
    post('/topics/orders/records', { value: { type: 'BINARY', data: '1' } }),
    post('/topics/orders/records', text('x'.repeat(2_000_000))),
    post('/topics/nowhere/records', text('a')),
    post('/topics/orders/records:batch', {
      entries: [
        { id: 'a', ...text('a'), partition_id: 1 },
        { id: 'b', value: { type: 'NONE' }, partition_id: 1 },
      ],
    }),
    post('/topics/orders/records:batch', {
      entries: [
        { id: 'a', ...text('a'), partition_id: 1 },
        { id: 'b', value: { type: 'STRING', data: 1 }, partition_id: 1 },
      ],
    }),
    get('/topics/orders/partitions/0/offset'),
    get('/topics/orders/partitions/1/offset'),
  ],
  groups: [
    {
      ...get('/consumer-groups'),
      of: ({ data }) => data.filter((group: Body) => group.consumer_group_id === 'readers'),
    },
    get('/consumer-groups/readers'),
    get('/consumer-groups/readers/consumers'),
    get('/consumer-groups/readers/lags'),
    get('/consumer-groups/readers/lags/orders/partitions/1'),
    get('/consumer-groups/readers/lags/orders/partitions/7'),
    get('/consumer-groups/readers/lag-summary'),
    get('/consumer-groups/readers/consumers/nobody'),
    get('/consumer-groups/nobody'),
    get('/consumer-groups/nobody/lags'),
  ],
}

interface Side {
  readonly broker: RunningBroker
  readonly rest: RestFixture
  readonly cluster: string
  readonly clusterId: string
  readonly brokerId: number
  consumer?: GroupConsumer
}

/** Fields that depend on the wording or the history of each side, not on the request. */
const worded = new Set(['message', 'request_id'])

describe.runIf(hasKafka())('a REST server over our broker and one over Kafka', () => {
  const sides: Side[] = []

  beforeAll(async () => {
    for (const start of [startOurs, startKafka]) {
      const broker = await start()
      const [host, port] = broker.address.split(':')
      const bootstrap = [{ host: host!, port: Number(port) }]
      const rest = await RestFixture.start({ bootstrap, network: tcpNetwork })
      const { clusterId, controllerId } = await rest.admin.describeCluster()
      const cluster = `/v3/clusters/${clusterId}`
      sides.push({ broker, rest, cluster, clusterId, brokerId: controllerId })
    }
  }, 180_000)

  afterAll(async () => {
    for (const { consumer, rest, broker } of sides) {
      await consumer?.close()
      await rest.close()
      await broker.stop()
    }
  })

  async function ask(side: Side, step: Step): Promise<unknown> {
    const { method = 'GET', until = () => true, of = (body: Body) => body } = step
    const url = `${side.cluster}${step.path.replace('BROKER', String(side.brokerId))}`
    const payload = JSON.stringify(step.payload)?.replace('"BROKER"', String(side.brokerId))
    const headers = { 'content-type': 'application/json' }
    const request = { method, url, ...(payload === undefined ? {} : { payload, headers }) }
    let answer = await side.rest.ask<Body>(request)
    await eventually(`${method} ${step.path}`, async () => {
      if (until(answer.body)) return true
      answer = await side.rest.ask<Body>(request)
      return false
    })
    const body = answer.status < 300 && answer.text !== '' ? of(answer.body) : answer.body
    return { status: answer.status, body: normalized(side, body) }
  }

  function normalized(side: Side, value: unknown, name = ''): unknown {
    if (Array.isArray(value)) return value.map((each) => normalized(side, each))
    if (typeof value === 'object' && value !== null) {
      const fields = Object.entries(value)
      return Object.fromEntries(fields.map(([key, each]) => [key, normalized(side, each, key)]))
    }
    if (worded.has(name)) return 'worded'
    if (name === 'broker_id' || name === 'port') return name
    if (name === 'consumer_id' || name === 'max_lag_consumer_id')
      return value === '' ? '' : 'member'
    if (name === 'timestamp' && typeof value === 'string') {
      return value.startsWith('2026-02-05') ? value : 'now'
    }
    if (typeof value !== 'string') return value
    return value
      .replaceAll(side.clusterId, 'CLUSTER')
      .replaceAll(/\bbrokers\/\d+/g, 'brokers/ID')
      .replaceAll(/\bbroker=\d+/g, 'broker=ID')
      .replaceAll(/\breplicas\/\d+/g, 'replicas/ID')
      .replaceAll(/\breplica=\d+/g, 'replica=ID')
      .replaceAll(/\bconsumers\/[^/]+/g, 'consumers/ID')
      .replaceAll(/\bconsumer=[^/]+/g, 'consumer=ID')
  }

  /** Starts a member that has read all records, and produces further ones. */
  async function readTopic(side: Side): Promise<void> {
    const { cluster } = side.rest
    const consumer = new GroupConsumer(cluster, {
      ...{ groupId: 'readers', topics: ['orders'], autoOffsetReset: 'earliest', maxWaitMs: 50 },
    })
    side.consumer = consumer
    await eventually('the offsets', async () => {
      await consumer.poll()
      await consumer.commit().catch(() => {})
      const offsets = await side.rest.admin.groupOffsets('readers')
      return offsets.reduce((sum, { offset }) => sum + offset, 0) === 4
    })
    await ask(side, post('/topics/orders/records', { ...text('late'), partition_id: 1 }))
  }

  it.each(Object.keys(scenarios))(
    '%s',
    async (name) => {
      for (const side of sides) if (name === 'groups') await readTopic(side)
      for (const step of scenarios[name]!) {
        const [ours, kafkas] = [await ask(sides[0]!, step), await ask(sides[1]!, step)]
        expect([step.path, step.payload, ours]).toEqual([step.path, step.payload, kafkas])
      }
    },
    120_000,
  )
})
