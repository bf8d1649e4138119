// Confluent's paths for the cluster, its brokers, topics, partitions and replicas.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Producer } from '../../../../../protocol/client/producer/producer.ts'
import { RestFixture } from '../restFixture.ts'
import { host, type List, type Resource } from './resources.ts'

let rest: RestFixture
let cluster: string
let clusterId: string
let broker: number

beforeAll(async () => {
  rest = await RestFixture.start()
  const described = await rest.admin.describeCluster()
  clusterId = described.clusterId
  broker = described.controllerId
  cluster = `/v3/clusters/${clusterId}`
})

afterAll(() => rest.close())

/** Checks that every link in an answer leads to this API, at the address of the request. */
async function follow(resource: object): Promise<void> {
  for (const [name, field] of Object.entries(resource)) {
    const { related } = (field ?? {}) as { related?: string }
    if (related === undefined || name === 'acls') continue
    expect(related.startsWith(`${host}/v3/`)).toBe(true)
    const { status } = await rest.get(related.slice(host.length))
    expect([name, [200, 404].includes(status)]).toEqual([name, true])
    if (name !== 'reassignment') expect([name, status]).toEqual([name, 200])
  }
}

const create = (topic: string, partitions = 1) =>
  rest.post<Resource>(`${cluster}/topics`, { topic_name: topic, partitions_count: partitions })

describe('the cluster', () => {
  test('is the only one in the list, with links to its resources', async () => {
    const { status, body } = await rest.get<List>('/v3/clusters')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      kind: 'KafkaClusterList',
      metadata: { self: `${host}/v3/clusters`, next: null },
      data: [
        {
          kind: 'KafkaCluster',
          metadata: { self: `${host}${cluster}`, resource_name: `crn:///kafka=${clusterId}` },
          cluster_id: clusterId,
          controller: { related: `${host}${cluster}/brokers/${broker}` },
        },
      ],
    })
    expect((await rest.get(cluster)).body).toEqual(body.data[0])
    await follow(body.data[0]!)
  })

  test('is the only known cluster, on every path', async () => {
    for (const path of [
      '',
      '/brokers',
      '/topics',
      '/topics/x',
      '/consumer-groups',
      '/broker-configs',
    ]) {
      const refused = await rest.refused({ method: 'GET', url: `/v3/clusters/other${path}` })
      expect(refused).toMatchObject({ status: 404, code: 'UNKNOWN_CLUSTER' })
    }
  })
})

describe('brokers', () => {
  test('are listed and found', async () => {
    const { body } = await rest.get<List>(`${cluster}/brokers`)
    expect(body.data).toMatchObject([
      { kind: 'KafkaBroker', broker_id: broker, host: '127.0.0.1', rack: null },
    ])
    expect((await rest.get(`${cluster}/brokers/${broker}`)).body).toEqual(body.data[0])
    await follow(body.data[0]!)
  })

  test('that do not exist are unknown, and ids are numbers', async () => {
    const url = `${cluster}/brokers/99`
    expect(await rest.refused({ method: 'GET', url })).toMatchObject({ status: 404 })
    const wrong = await rest.refused({ method: 'GET', url: `${cluster}/brokers/one` })
    expect(wrong).toMatchObject({ status: 400, code: 'INVALID_REQUEST' })
  })

  test('have replicas', async () => {
    await create('replicated', 3)
    const { body } = await rest.get<List>(`${cluster}/brokers/${broker}/partition-replicas`)
    const ours = body.data.filter(({ topic_name }) => topic_name === 'replicated')
    expect(ours.map(({ partition_id }) => partition_id)).toEqual([0, 1, 2])
    expect(ours[0]).toMatchObject({
      kind: 'KafkaReplica',
      broker_id: broker,
      is_leader: true,
      is_in_sync: true,
    })
    await follow(ours[0]!)
  })
})

describe('topics', () => {
  test('are created, found, listed and deleted', async () => {
    const created = await rest.post<Resource>(`${cluster}/topics`, {
      topic_name: 'orders',
      partitions_count: 3,
      replication_factor: 1,
      configs: [{ name: 'retention.ms', value: '60000' }],
    })
    expect(created.status).toBe(201)
    expect(created.body).toMatchObject({
      kind: 'KafkaTopic',
      metadata: {
        self: `${host}${cluster}/topics/orders`,
        resource_name: `crn:///kafka=${clusterId}/topic=orders`,
      },
      topic_name: 'orders',
      is_internal: false,
      replication_factor: 1,
      partitions_count: 3,
    })
    expect((await rest.get(`${cluster}/topics/orders`)).body).toEqual(created.body)
    await follow(created.body)
    const listed = await rest.get<List>(`${cluster}/topics`)
    expect(listed.body.data).toContainEqual(created.body)
    const retention = await rest.get<Resource>(`${cluster}/topics/orders/configs/retention.ms`)
    expect(retention.body.value).toBe('60000')
    const deleted = await rest.delete(`${cluster}/topics/orders`)
    expect([deleted.status, deleted.text]).toEqual([204, ''])
    const gone = await rest.refused({ method: 'DELETE', url: `${cluster}/topics/orders` })
    expect(gone).toMatchObject({ status: 404, code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  })

  test('have the defaults of the broker, or explicit replicas', async () => {
    const usual = await rest.post<Resource>(`${cluster}/topics`, { topic_name: 'usual' })
    expect(usual.body).toMatchObject({ partitions_count: 1, replication_factor: 1 })
    const assigned = await rest.post<Resource>(`${cluster}/topics`, {
      topic_name: 'assigned',
      replicas_assignments: { 1: [broker], 0: [broker] },
    })
    expect(assigned.body).toMatchObject({ partitions_count: 2, replication_factor: 1 })
  })

  test('are validated but not created with validate_only', async () => {
    const payload = { topic_name: 'checked', partitions_count: 2, validate_only: true }
    const { status, body } = await rest.post<Resource>(`${cluster}/topics`, payload)
    expect(status).toBe(200)
    expect(body).toMatchObject({ topic_name: 'checked', partitions_count: 2 })
    const absent = await rest.refused({ method: 'GET', url: `${cluster}/topics/checked` })
    expect(absent.status).toBe(404)
  })

  test.each([
    [{}, 'INVALID_REQUEST'],
    [{ topic_name: '' }, 'INVALID_REQUEST'],
    [{ topic_name: 'x'.repeat(250) }, 'INVALID_REQUEST'],
    [{ topic_name: 'a b' }, 'INVALID_TOPIC_EXCEPTION'],
    [{ topic_name: 'x', partitions_count: '3' }, 'INVALID_REQUEST'],
    [{ topic_name: 'x', partitions_count: 0 }, 'INVALID_PARTITIONS'],
    [{ topic_name: 'x', replication_factor: 3 }, 'INVALID_REPLICATION_FACTOR'],
    [{ topic_name: 'x', partition_count: 3 }, 'UNKNOWN_PROPERTY'],
    [{ topic_name: 'x', configs: [{ name: 'no.such', value: '1' }] }, 'INVALID_CONFIG'],
    [{ topic_name: 'x', replicas_assignments: { 1: [1] } }, 'INVALID_REPLICA_ASSIGNMENT'],
    [{ topic_name: 'x', replicas_assignments: {} }, 'INVALID_REPLICA_ASSIGNMENT'],
    [
      { topic_name: 'x', partitions_count: 1, replicas_assignments: { 0: [1] } },
      'INVALID_REPLICA_ASSIGNMENT',
    ],
    [{ topic_name: 'replicated' }, 'TOPIC_ALREADY_EXISTS'],
  ])('cannot be created from %j', async (payload, code) => {
    const url = `${cluster}/topics`
    expect(await rest.refused({ method: 'POST', url, payload })).toMatchObject({
      status: 400,
      code,
    })
  })

  test('can get more partitions, never fewer', async () => {
    await create('wider', 2)
    const url = `${cluster}/topics/wider`
    const patch = (payload: object) => rest.ask<Resource>({ method: 'PATCH', url, payload })
    expect((await patch({ partitions_count: 4 })).body).toMatchObject({ partitions_count: 4 })
    expect((await rest.get<Resource>(url)).body.partitions_count).toBe(4)
    for (const count of [4, 1, 0, '5']) {
      const payload = { partitions_count: count }
      expect((await rest.refused({ method: 'PATCH', url, payload })).status).toBe(400)
    }
    const absent = `${cluster}/topics/nowhere`
    const payload = { partitions_count: 4 }
    expect(await rest.refused({ method: 'PATCH', url: absent, payload })).toMatchObject({
      status: 404,
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
  })

  test('have their authorized operations when the request includes them', async () => {
    await create('allowed')
    const url = `${cluster}/topics/allowed`
    expect((await rest.get<Resource>(url)).body).not.toHaveProperty('authorized_operations')
    const asked = await rest.get<Resource>(`${url}?include_authorized_operations=true`)
    expect(asked.body.authorized_operations).toContain('READ')
  })

  test('have names that are safe in paths; other names are unknown or refused', async () => {
    await create('a.b_c-D')
    expect((await rest.get(`${cluster}/topics/a%2Eb_c-D`)).status).toBe(200)
    for (const name of ['a%20b', 'a%2Fb', '%C3%A9', 'x'.repeat(4000)]) {
      const { status } = await rest.refused({ method: 'GET', url: `${cluster}/topics/${name}` })
      expect([400, 404]).toContain(status)
    }
  })

  test('are listed in pages', async () => {
    for (const name of ['page-a', 'page-b', 'page-c']) await create(name)
    const names: unknown[] = []
    let url: string | null = `${cluster}/topics?page_size=2`
    while (url !== null) {
      const { body }: { body: List } = await rest.get<List>(url)
      expect(body.data.length).toBeLessThanOrEqual(2)
      names.push(...body.data.map(({ topic_name }) => topic_name))
      url = body.metadata.next?.slice(host.length) ?? null
    }
    expect(names).toEqual([...names].sort())
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(['page-a', 'page-b', 'page-c']))
  })
})

describe('partitions and replicas', () => {
  test('are listed and found', async () => {
    await create('parts', 2)
    const { body } = await rest.get<List>(`${cluster}/topics/parts/partitions`)
    expect(body.kind).toBe('KafkaPartitionList')
    expect(body.data).toMatchObject([
      { kind: 'KafkaPartition', topic_name: 'parts', partition_id: 0 },
      { partition_id: 1 },
    ])
    const one = await rest.get<Resource>(`${cluster}/topics/parts/partitions/1`)
    expect(one.body).toEqual(body.data[1])
    await follow(one.body)
    const replicas = await rest.get<List>(`${cluster}/topics/parts/partitions/1/replicas`)
    expect(replicas.body.data).toMatchObject([{ broker_id: broker, is_leader: true }])
    const replica = await rest.get(`${cluster}/topics/parts/partitions/1/replicas/${broker}`)
    expect(replica.body).toEqual(replicas.body.data[0])
  })

  test('have offsets', async () => {
    await create('counted')
    const producer = new Producer(rest.cluster, rest.cluster.runtime)
    for (const value of ['a', 'b', 'c']) {
      await producer.send('counted', { value: Buffer.from(value) })
    }
    await producer.close()
    await rest.admin.deleteRecords([{ topic: 'counted', partition: 0, offset: 1 }])
    const { body } = await rest.get(`${cluster}/topics/counted/partitions/0/offset`)
    expect(body).toMatchObject({
      kind: 'KafkaPartitionWithOffsets',
      earliest_offset: 1,
      latest_offset: 3,
    })
  })

  test.each([
    ['/topics/parts/partitions/9', 404],
    ['/topics/parts/partitions/-1', 400],
    ['/topics/parts/partitions/x', 400],
    ['/topics/parts/partitions/99999999999', 400],
    ['/topics/nowhere/partitions', 404],
    ['/topics/nowhere/partitions/0', 404],
    ['/topics/parts/partitions/9/offset', 404],
    ['/topics/parts/partitions/9/replicas', 404],
    ['/topics/parts/partitions/0/replicas/99', 404],
    ['/topics/parts/partitions/0/reassignment', 404],
    ['/topics/nowhere/partitions/-/reassignment', 404],
  ])('%s is %i', async (path, status) => {
    const refused = await rest.refused({ method: 'GET', url: `${cluster}${path}` })
    expect(refused.status).toBe(status)
  })

  test('are not being reassigned', async () => {
    for (const topic of ['-', 'parts']) {
      const { body } = await rest.get<List>(`${cluster}/topics/${topic}/partitions/-/reassignment`)
      expect(body).toMatchObject({ kind: 'KafkaReassignmentList', data: [] })
    }
  })
})
