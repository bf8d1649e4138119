// Topics, agents and jobs over REST.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Board } from '../../../../broker/admin/board/board.ts'
import { ProgramStatuses } from '../../../../broker/admin/rest/programStatuses.ts'
import { Producer } from '../../../../protocol/client/producer/producer.ts'
import { agentStatus, jobStatus } from '../board/boardInput.ts'
import { RestFixture } from './restFixture.ts'

let rest: RestFixture
const board = new Board()
const statuses = new ProgramStatuses()
const nowMs = 1_700_000_000_000

beforeAll(async () => {
  for (const status of [agentStatus(nowMs, 5), jobStatus(nowMs, 5, { host: 'h1' })]) {
    board.hear(status, nowMs)
    statuses.hear(status)
  }
  board.tick(nowMs)
  rest = await RestFixture.start({
    picture: () => board.picture,
    status: (id) => statuses.get(id),
  })
  await rest.admin.createTopics([
    { name: 'orders', partitions: 2 },
    { name: 'payments', partitions: 1 },
  ])
  const producer = new Producer(rest.cluster, rest.cluster.runtime)
  for (let at = 0; at < 10; at++) {
    await producer.send('orders', { partition: at % 2, value: Buffer.from('x'.repeat(100)) })
  }
  await producer.close()
}, 60_000)
afterAll(() => rest.close())

describe('topics', () => {
  test('are listed with their figures; unknown figures are null', async () => {
    const { body } = await rest.get<{ data: Record<string, unknown>[] }>('/api/v1/topics')
    expect(body.data).toMatchObject([
      {
        ...{ topic: 'orders', partitions: 2, replication_factor: 1, internal: false },
        ...{ records: 10, records_per_second: null, bytes_in_per_second: null },
        ...{ partitions_without_leader: 0, under_replicated_partitions: 0 },
        topic_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
      { topic: 'payments', records: 0, size_bytes: 0 },
    ])
    expect(body.data[0]!.size_bytes).toBeGreaterThan(1_000)
  })

  test('are listed in pages', async () => {
    const { body } = await rest.get<{ metadata: { next: string } }>('/api/v1/topics?page_size=1')
    const next = new URL(body.metadata.next)
    const second = await rest.get(next.pathname + next.search)
    expect(second.body).toMatchObject({
      data: [{ topic: 'payments' }],
      metadata: { next: null, self: next.href },
    })
  })

  test('are found by name, with their partitions', async () => {
    const { body } = await rest.get('/api/v1/topics/orders')
    expect(body).toEqual({
      ...{ topic: 'orders', internal: false },
      partitions: [0, 1].map((partition) => ({
        ...{ partition, leader: 1, replicas: [1], in_sync_replicas: [1] },
        ...{ log_start_offset: 0, end_offset: 5 },
      })),
    })
    const refused = await rest.refused({ url: '/api/v1/topics/nothing' })
    expect(refused).toMatchObject({ status: 404 })
  })

  test('can have their records below an offset deleted', async () => {
    const url = '/api/v1/topics/orders/records:delete'
    const partitions = [
      { partition: 0, before_offset: 3 },
      { partition: 1, before_offset: 'end' },
    ]
    expect((await rest.post(url, { partitions })).body).toEqual({
      topic: 'orders',
      partitions: [
        { partition: 0, log_start_offset: 3 },
        { partition: 1, log_start_offset: 5 },
      ],
    })
    const beyond = [{ partition: 0, before_offset: 6 }]
    const payload = { partitions: beyond }
    expect(await rest.refused({ method: 'POST', url, payload })).toMatchObject({
      ...{ status: 404, code: 'OFFSET_OUT_OF_RANGE' },
    })
    const twice = { partitions: [...beyond, ...beyond] }
    expect((await rest.refused({ method: 'POST', url, payload: twice })).status).toBe(400)
  })
})

describe('agents', () => {
  test('are listed with their components', async () => {
    const { body } = await rest.get<{ data: { agent: string }[] }>('/api/v1/agents')
    expect(body.data).toMatchObject([
      {
        ...{ state: 'running', silent: false, lines_total: 5 },
        channels: [{ name: expect.any(String), events: expect.any(Number) }],
        sources: [{ events_received: expect.any(Number) }],
        sinks: [{ topic: 'orders' }],
      },
    ])
    const id = encodeURIComponent(body.data[0]!.agent)
    expect((await rest.get(`/api/v1/agents/${id}`)).body).toEqual(body.data[0])
    const refused = await rest.refused({ url: '/api/v1/agents/nobody' })
    expect(refused).toMatchObject({ status: 404, code: 'AGENT_NOT_FOUND' })
  })
})

describe('jobs', () => {
  test('are listed, and shown with their batches', async () => {
    const { body } = await rest.get<{ data: { job: string }[] }>('/api/v1/jobs')
    expect(body.data).toMatchObject([{ state: 'running', host: 'h1', error: null }])
    const id = encodeURIComponent(body.data[0]!.job)
    const job = await rest.get<{ batches: unknown[] }>(`/api/v1/jobs/${id}`)
    expect(job.body).toMatchObject(body.data[0]!)
    expect(job.body.batches.length).toBeGreaterThan(0)
    const refused = await rest.refused({ url: '/api/v1/jobs/none' })
    expect(refused).toMatchObject({ status: 404, code: 'JOB_NOT_FOUND' })
  })
})
