// Confluent's paths for consumer groups, their members and their lag.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GroupConsumer } from '../../../../../protocol/client/consumer/consumer.ts'
import { Producer } from '../../../../../protocol/client/producer/producer.ts'
import { RestFixture } from '../restFixture.ts'
import { host, type List, type Resource } from './resources.ts'

let rest: RestFixture
let cluster: string
let clusterId: string
let broker: number
let group: string
let consumer: GroupConsumer

beforeAll(async () => {
  rest = await RestFixture.start()
  const described = await rest.admin.describeCluster()
  clusterId = described.clusterId
  broker = described.controllerId
  cluster = `/v3/clusters/${clusterId}`
  group = `${cluster}/consumer-groups/readers`
  await rest.admin.createTopics([{ name: 'orders', partitions: 2 }])
  await produce('orders', 0, 10)
  await produce('orders', 1, 4)
  consumer = new GroupConsumer(rest.cluster, {
    ...{ groupId: 'readers', topics: ['orders'], autoOffsetReset: 'earliest', maxWaitMs: 10 },
  })
  while ((await rest.admin.groupOffsets('readers')).length < 2) {
    await consumer.poll()
    await consumer.commit().catch(() => {})
  }
  await produce('orders', 0, 5)
})

afterAll(async () => {
  await consumer.close()
  await rest.close()
})

async function produce(topic: string, partition: number, count: number): Promise<void> {
  const producer = new Producer(rest.cluster, rest.cluster.runtime)
  for (let index = 0; index < count; index++) {
    await producer.send(topic, { value: Buffer.from(String(index)), partition })
  }
  await producer.close()
}

test('groups are listed and found', async () => {
  const { body } = await rest.get<List>(`${cluster}/consumer-groups`)
  expect(body.kind).toBe('KafkaConsumerGroupList')
  const [listed] = body.data
  expect(listed).toMatchObject({
    kind: 'KafkaConsumerGroup',
    metadata: {
      self: `${host}${group}`,
      resource_name: `crn:///kafka=${clusterId}/consumer-group=readers`,
    },
    consumer_group_id: 'readers',
    is_simple: false,
    partition_assignor: 'range',
    state: 'STABLE',
    type: 'CLASSIC',
    is_mixed_consumer_group: false,
    coordinator: { related: `${host}${cluster}/brokers/${broker}` },
  })
  expect((await rest.get(group)).body).toEqual(listed)
  for (const name of ['coordinator', 'consumers', 'lag_summary']) {
    const { related } = listed![name] as { related: string }
    expect((await rest.get(related.slice(host.length))).status).toBe(200)
  }
})

test('members are listed and found, with their assignments', async () => {
  const { body } = await rest.get<List>(`${group}/consumers`)
  expect(body.data).toMatchObject([
    { kind: 'KafkaConsumer', consumer_group_id: 'readers', instance_id: null },
  ])
  const [member] = body.data
  const id = member!.consumer_id as string
  expect((await rest.get(`${group}/consumers/${id}`)).body).toEqual(member)
  const { related } = member!.assignments as { related: string }
  const assignments = await rest.get<List>(related.slice(host.length))
  expect(assignments.body.data).toMatchObject([
    { kind: 'KafkaConsumerAssignment', consumer_id: id, topic_name: 'orders', partition_id: 0 },
    { partition_id: 1 },
  ])
  const [first] = assignments.body.data
  const one = await rest.get(`${group}/consumers/${id}/assignments/orders/partitions/0`)
  expect(one.body).toEqual(first)
  for (const name of ['partition', 'lag']) {
    const { related } = first![name] as { related: string }
    expect((await rest.get(related.slice(host.length))).status).toBe(200)
  }
})

test('lag is the number of records produced since the last commit', async () => {
  const { body } = await rest.get<List>(`${group}/lags`)
  const member = (await rest.get<List>(`${group}/consumers`)).body.data[0]!
  expect(body.data).toMatchObject([
    {
      kind: 'KafkaConsumerLag',
      topic_name: 'orders',
      partition_id: 0,
      current_offset: 10,
      log_end_offset: 15,
      lag: 5,
      consumer_id: member.consumer_id,
      client_id: member.client_id,
      instance_id: null,
    },
    { partition_id: 1, current_offset: 4, log_end_offset: 4, lag: 0 },
  ])
  const one = await rest.get(`${group}/lags/orders/partitions/0`)
  expect(one.body).toEqual(body.data[0])
  expect((await rest.get<Resource>(`${group}/lag-summary`)).body).toMatchObject({
    kind: 'KafkaConsumerGroupLagSummary',
    max_lag_consumer_id: member.consumer_id,
    max_lag_topic_name: 'orders',
    max_lag_partition_id: 0,
    max_lag: 5,
    total_lag: 5,
    max_lag_partition: { related: `${host}${cluster}/topics/orders/partitions/0` },
  })
})

test('a group that only commits is simple, and may have any name', async () => {
  const name = 'a/b ü?#%'
  await rest.admin.alterGroupOffsets(name, [{ topic: 'orders', partition: 0, offset: 3 }])
  const path = `${cluster}/consumer-groups/${encodeURIComponent(name)}`
  const { body } = await rest.get<Resource>(path)
  expect(body).toMatchObject({
    consumer_group_id: name,
    is_simple: true,
    state: 'EMPTY',
    metadata: { self: `${host}${path}` },
  })
  const lags = await rest.get<List>(`${path}/lags`)
  expect(lags.body.data).toMatchObject([{ lag: 12, consumer_id: '', client_id: '' }])
  const summary = await rest.get<Resource>(`${path}/lag-summary`)
  expect(summary.body).toMatchObject({ max_lag: 12, max_lag_consumer_id: '' })
  const { related } = summary.body.max_lag_consumer as { related: string }
  expect((await rest.get(related.slice(host.length))).status).toBe(200)
})

test('offsets of a deleted topic have no lag', async () => {
  await rest.admin.createTopics([{ name: 'gone', partitions: 1 }])
  await rest.admin.alterGroupOffsets('late', [{ topic: 'gone', partition: 0, offset: 0 }])
  await rest.admin.deleteTopics(['gone'])
  const path = `${cluster}/consumer-groups/late`
  const lags = await rest.ask<List>({ method: 'GET', url: `${path}/lags` })
  // The broker may have deleted the group with its last offset.
  expect([200, 404]).toContain(lags.status)
  if (lags.status === 200) expect(lags.body.data).toEqual([])
  expect((await rest.refused({ method: 'GET', url: `${path}/lag-summary` })).status).toBe(404)
})

describe('a request for a missing resource is refused', () => {
  test.each([
    ['/consumer-groups/nobody', 'GROUP_ID_NOT_FOUND'],
    ['/consumer-groups/nobody/consumers', 'GROUP_ID_NOT_FOUND'],
    ['/consumer-groups/nobody/lags', 'GROUP_ID_NOT_FOUND'],
    ['/consumer-groups/nobody/lag-summary', 'GROUP_ID_NOT_FOUND'],
    ['/consumer-groups/readers/consumers/nobody', 'UNKNOWN_MEMBER_ID'],
    ['/consumer-groups/readers/consumers/nobody/assignments', 'UNKNOWN_MEMBER_ID'],
    ['/consumer-groups/readers/lags/orders/partitions/7', 'NO_COMMITTED_OFFSET'],
    ['/consumer-groups/readers/lags/nowhere/partitions/0', 'NO_COMMITTED_OFFSET'],
  ])('%s', async (path, code) => {
    const refused = await rest.refused({ method: 'GET', url: `${cluster}${path}` })
    expect(refused).toMatchObject({ status: 404, code })
  })

  test('an assignment', async () => {
    const { body } = await rest.get<List>(`${group}/consumers`)
    const id = body.data[0]!.consumer_id
    const url = `${group}/consumers/${id}/assignments/orders/partitions/7`
    expect(await rest.refused({ method: 'GET', url })).toMatchObject({ code: 'NOT_ASSIGNED' })
  })
})

test('groups are listed in pages', async () => {
  for (const name of ['p1', 'p2', 'p3']) {
    await rest.admin.alterGroupOffsets(name, [{ topic: 'orders', partition: 0, offset: 0 }])
  }
  const ids: unknown[] = []
  let url: string | null = `${cluster}/consumer-groups?page_size=2`
  while (url !== null) {
    const { body }: { body: List } = await rest.get<List>(url)
    ids.push(...body.data.map(({ consumer_group_id }) => consumer_group_id))
    url = body.metadata.next?.slice(host.length) ?? null
  }
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toEqual(expect.arrayContaining(['p1', 'p2', 'p3', 'readers']))
})
