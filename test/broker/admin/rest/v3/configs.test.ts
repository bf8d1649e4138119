// Confluent's paths for configurations: of topics, of brokers, of all brokers.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RestFixture } from '../restFixture.ts'
import type { List, Resource } from './resources.ts'

let rest: RestFixture
let cluster: string
let topic: string
let broker: string
let all: string

beforeAll(async () => {
  rest = await RestFixture.start()
  const { clusterId, controllerId } = await rest.admin.describeCluster()
  cluster = `/v3/clusters/${clusterId}`
  topic = `${cluster}/topics/orders/configs`
  broker = `${cluster}/brokers/${controllerId}/configs`
  all = `${cluster}/broker-configs`
  await rest.admin.createTopics([
    { name: 'orders', partitions: 1 },
    { name: 'other', partitions: 1 },
  ])
})

afterAll(() => rest.close())

const put = (url: string, value: string) => rest.ask({ method: 'PUT', url, payload: { value } })
const alter = (url: string, data: object[], more: object = {}) =>
  rest.post(`${url}:alter`, { data, ...more })

test('a topic has configs, each with its source', async () => {
  const { body } = await rest.get<List>(topic)
  expect(body.kind).toBe('KafkaTopicConfigList')
  const entry = body.data.find(({ name }) => name === 'cleanup.policy')!
  expect(entry).toMatchObject({
    kind: 'KafkaTopicConfig',
    topic_name: 'orders',
    value: 'delete',
    is_default: true,
    is_read_only: false,
    is_sensitive: false,
    source: 'DEFAULT_CONFIG',
  })
  expect((await rest.get(`${topic}/cleanup.policy`)).body).toEqual(entry)
})

test('a config is set and reset', async () => {
  const url = `${topic}/retention.ms`
  const set = await put(url, '86400000')
  expect([set.status, set.text]).toEqual([204, ''])
  const changed = await rest.get<Resource>(url)
  expect(changed.body).toMatchObject({
    value: '86400000',
    is_default: false,
    source: 'DYNAMIC_TOPIC_CONFIG',
  })
  expect(changed.body.synonyms).toContainEqual({
    name: 'retention.ms',
    value: '86400000',
    source: 'DYNAMIC_TOPIC_CONFIG',
  })
  expect((await rest.delete(url)).status).toBe(204)
  expect((await rest.get<Resource>(url)).body).toMatchObject({ is_default: true })
  expect((await rest.delete(url)).status).toBe(204)
})

test('several configs are changed together, all or none', async () => {
  await put(`${topic}/segment.bytes`, '2000000')
  const changes = [
    { name: 'retention.ms', value: '5000' },
    { name: 'max.message.bytes', value: '1000', operation: 'SET' },
    { name: 'segment.bytes', operation: 'DELETE' },
  ]
  const configOf = async (name: string) => (await rest.get<Resource>(`${topic}/${name}`)).body.value
  expect((await alter(topic, changes, { validate_only: true })).status).toBe(204)
  expect(await configOf('segment.bytes')).toBe('2000000')
  const half = [...changes, { name: 'compression.type', value: 'shrink' }]
  const payload = { data: half }
  const refused = await rest.refused({ method: 'POST', url: `${topic}:alter`, payload })
  expect(refused).toMatchObject({ status: 400, code: 'INVALID_CONFIG' })
  expect(await configOf('segment.bytes')).toBe('2000000')
  expect((await alter(topic, changes)).status).toBe(204)
  expect(await configOf('segment.bytes')).not.toBe('2000000')
  expect(await configOf('retention.ms')).toBe('5000')
})

test('the configs of all topics are listed together, in pages of topics', async () => {
  const first = await rest.get<List>(`${cluster}/topics/-/configs?page_size=1`)
  expect(new Set(first.body.data.map(({ topic_name }) => topic_name))).toEqual(new Set(['orders']))
  expect(first.body.metadata.next).toContain('page_token=')
  const { body } = await rest.get<List>(`${cluster}/topics/-/configs`)
  const names = new Set(body.data.map(({ topic_name }) => topic_name))
  expect(names).toEqual(new Set(['orders', 'other']))
  expect(body.data.length).toBe(2 * first.body.data.length)
})

test('a broker has configs, some of which can be changed while it runs', async () => {
  const { body } = await rest.get<List>(broker)
  expect(body.kind).toBe('KafkaBrokerConfigList')
  const fixed = body.data.find(({ name }) => name === 'node.id')!
  expect(fixed).toMatchObject({ kind: 'KafkaBrokerConfig', is_read_only: true })
  const together = await rest.get<List>(`${cluster}/brokers/-/configs`)
  expect(together.body.data.map(({ name }) => name).sort()).toEqual(
    body.data.map(({ name }) => name).sort(),
  )
  const url = `${broker}/log.retention.ms`
  expect((await put(url, '7200000')).status).toBe(204)
  expect((await rest.get<Resource>(url)).body).toMatchObject({
    value: '7200000',
    source: 'DYNAMIC_BROKER_CONFIG',
  })
  expect((await alter(broker, [{ name: 'log.retention.ms', operation: 'DELETE' }])).status).toBe(
    204,
  )
  expect((await rest.get<Resource>(url)).body.source).not.toBe('DYNAMIC_BROKER_CONFIG')
})

test('configs for all brokers are set, listed and deleted', async () => {
  expect((await rest.get<List>(all)).body).toMatchObject({
    kind: 'KafkaClusterConfigList',
    data: [],
  })
  const url = `${all}/log.retention.ms`
  expect((await rest.refused({ method: 'GET', url })).status).toBe(404)
  expect((await put(url, '7200000')).status).toBe(204)
  expect((await rest.get<Resource>(url)).body).toMatchObject({
    kind: 'KafkaClusterConfig',
    config_type: 'BROKER',
    value: '7200000',
    source: 'DYNAMIC_DEFAULT_BROKER_CONFIG',
  })
  expect((await rest.get<List>(all)).body.data).toHaveLength(1)
  expect((await alter(all, [{ name: 'log.retention.ms', value: '60000' }])).status).toBe(204)
  expect((await rest.delete(url)).status).toBe(204)
  expect((await rest.get<List>(all)).body.data).toEqual([])
})

describe('bad requests', () => {
  const cases: [string, 'PUT' | 'DELETE' | 'GET' | 'POST', () => string, unknown, number][] = [
    ['an unknown name', 'GET', () => `${topic}/no.such`, undefined, 404],
    ['setting an unknown name', 'PUT', () => `${topic}/no.such`, { value: '1' }, 404],
    ['resetting an unknown name', 'DELETE', () => `${topic}/no.such`, undefined, 404],
    ['an unknown topic', 'GET', () => `${cluster}/topics/nowhere/configs`, undefined, 404],
    [
      'setting a config of an unknown topic',
      'PUT',
      () => `${cluster}/topics/nowhere/configs/retention.ms`,
      { value: '1' },
      404,
    ],
    ['an unknown broker', 'GET', () => `${cluster}/brokers/99/configs`, undefined, 404],
    ['a bad value', 'PUT', () => `${topic}/retention.ms`, { value: 'long' }, 400],
    ['a number in place of text', 'PUT', () => `${topic}/retention.ms`, { value: 5 }, 400],
    ['no value', 'PUT', () => `${topic}/retention.ms`, { value: null }, 400],
    ['no body', 'PUT', () => `${topic}/retention.ms`, undefined, 400],
    ['a fixed configuration', 'PUT', () => `${broker}/node.id`, { value: '7' }, 400],
    ['nothing to change', 'POST', () => `${topic}:alter`, { data: [] }, 400],
    [
      'an unknown operation',
      'POST',
      () => `${topic}:alter`,
      { data: [{ name: 'retention.ms', value: '1', operation: 'APPEND' }] },
      400,
    ],
    [
      'no value in a batch',
      'POST',
      () => `${topic}:alter`,
      { data: [{ name: 'retention.ms' }] },
      400,
    ],
    [
      'too many changes',
      'POST',
      () => `${topic}:alter`,
      { data: Array.from({ length: 1001 }, () => ({ name: 'retention.ms', value: '1' })) },
      400,
    ],
  ]
  test.each(cases)('%s', async (_, method, url, payload, status) => {
    const request = { method, url: url(), ...(payload === undefined ? {} : { payload }) }
    expect((await rest.refused(request as never)).status).toBe(status)
  })
})
