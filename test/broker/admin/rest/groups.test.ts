// Groups over REST: lag, resets with a preview, deletions.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GroupConsumer } from '../../../../protocol/client/consumer/consumer.ts'
import { Producer } from '../../../../protocol/client/producer/producer.ts'
import { RestFixture } from './restFixture.ts'

let rest: RestFixture
/** Age of the records, in ms. */
const ageMs = 3_600_000

beforeAll(async () => {
  rest = await RestFixture.start()
  await rest.admin.createTopics([
    { name: 'orders', partitions: 2 },
    { name: 'payments', partitions: 1 },
  ])
  const producer = new Producer(rest.cluster, rest.cluster.runtime)
  const startMs = Date.now() - ageMs
  for (let at = 0; at < 10; at++) {
    const value = Buffer.from(`order ${at}`)
    for (const partition of [0, 1]) {
      await producer.send('orders', { partition, value, timestampMs: startMs + at * 1_000 })
    }
  }
  await producer.send('payments', { partition: 0, value: Buffer.from('p') })
  await producer.close()
}, 60_000)
afterAll(() => rest.close())

interface Reset {
  readonly executed: boolean
  readonly can_execute: boolean
  readonly preview_token: string
  readonly read_again: number
  readonly skipped: number
  readonly partitions: readonly Record<string, unknown>[]
}

const commit = async (group: string, offsets: Record<number, number>, topic = 'orders') => {
  const places = Object.entries(offsets).map(([partition, offset]) => ({
    ...{ topic, partition: Number(partition), offset },
  }))
  const outcomes = await rest.admin.alterGroupOffsets(group, places)
  expect(outcomes.map(({ errorCode }) => errorCode)).toEqual(places.map(() => 0))
}
const reset = (group: string, body: object) =>
  rest.post<Reset>(`/api/v1/groups/${group}/offsets:reset`, body)
const offsetsOf = async (group: string) => {
  const committed = await rest.admin.groupOffsets(group)
  return Object.fromEntries(
    committed.map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset]),
  )
}

describe('offsets', () => {
  test('are listed with the ends of the logs, and the lag in records and seconds', async () => {
    await commit('lagging', { 0: 4, 1: 10 })
    const { status, body } = await rest.get<Record<string, unknown>>(
      '/api/v1/groups/lagging/offsets',
    )
    expect(status).toBe(200)
    expect(body).toMatchObject({
      ...{ group: 'lagging', state: 'Empty', total_lag: 6 },
      data: [
        {
          ...{ topic: 'orders', partition: 0, committed_offset: 4, log_start_offset: 0 },
          ...{ end_offset: 10, lag: 6, lag_seconds: expect.any(Number) },
        },
        { partition: 1, committed_offset: 10, lag: 0, lag_seconds: 0 },
      ],
    })
    const seconds = Number(body.max_lag_seconds)
    expect(seconds).toBeGreaterThanOrEqual(ageMs / 1000 - 4)
    expect(seconds).toBeLessThan(ageMs / 1000 + 60)
  })

  test('are listed for one topic, and in pages', async () => {
    await commit('paged', { 0: 1, 1: 2 })
    await commit('paged', { 0: 1 }, 'payments')
    const one = await rest.get('/api/v1/groups/paged/offsets?topic=payments')
    expect(one.body).toMatchObject({ data: [{ topic: 'payments', partition: 0 }] })
    const first = await rest.get<{ metadata: { next: string }; data: unknown[] }>(
      '/api/v1/groups/paged/offsets?page_size=2',
    )
    expect(first.body.data).toHaveLength(2)
    const next = new URL(first.body.metadata.next)
    const second = await rest.get(next.pathname + next.search)
    expect(second.body).toMatchObject({ data: [{ topic: 'payments' }], metadata: { next: null } })
  })

  test('of a group that does not exist are an error', async () => {
    const url = '/api/v1/groups/nobody/offsets'
    expect(await rest.refused({ url })).toMatchObject({ status: 404, code: 'GROUP_ID_NOT_FOUND' })
  })
})

describe('a reset', () => {
  test('is a preview unless executed, and reports the records read again or skipped', async () => {
    await commit('billing', { 0: 8, 1: 3 })
    const preview = await reset('billing', { to: 'offset', offset: 5 })
    expect(preview.body).toMatchObject({
      ...{ executed: false, can_execute: true, read_again: 3, skipped: 2 },
      partitions: [
        { partition: 0, old_offset: 8, new_offset: 5, read_again: 3, skipped: 0 },
        { partition: 1, old_offset: 3, new_offset: 5, read_again: 0, skipped: 2 },
      ],
    })
    expect(await offsetsOf('billing')).toEqual({ 'orders-0': 8, 'orders-1': 3 })
    const { preview_token } = preview.body
    const done = await reset('billing', { to: 'offset', offset: 5, execute: true, preview_token })
    expect(done.body.executed).toBe(true)
    expect(await offsetsOf('billing')).toEqual({ 'orders-0': 5, 'orders-1': 5 })
    expect(rest.logger.lines.at(-1)).toMatchObject({
      level: 'info',
      fields: { group: 'billing', to: 'offset', partitions: 2, execute: true },
    })
  })

  test('that differs from its preview is refused', async () => {
    await commit('moved', { 0: 8 })
    const body = { to: 'earliest' }
    const { preview_token } = (await reset('moved', body)).body
    await commit('moved', { 0: 9 })
    const execute = (more: object) =>
      rest.refused({
        ...{ method: 'POST', url: '/api/v1/groups/moved/offsets:reset' },
        payload: { ...more, execute: true, preview_token },
      })
    expect(await execute(body)).toMatchObject({ status: 409, code: 'PREVIEW_OUTDATED' })
    expect(await execute({ to: 'latest' })).toMatchObject({ code: 'PREVIEW_OUTDATED' })
    expect(await offsetsOf('moved')).toEqual({ 'orders-0': 9 })
  })

  test('to the end is executed although the end has moved since the preview', async () => {
    await rest.admin.createTopics([{ name: 'live', partitions: 1 }])
    await commit('live', { 0: 0 }, 'live')
    const { preview_token } = (await reset('live', { to: 'latest' })).body
    const producer = new Producer(rest.cluster, rest.cluster.runtime)
    await producer.send('live', { value: Buffer.from('x') })
    await producer.close()
    const { status } = await reset('live', { to: 'latest', execute: true, preview_token })
    expect(status).toBe(200)
    expect(await offsetsOf('live')).toEqual({ 'live-0': 1 })
  })

  test('can be by time, by duration and by a number of records', async () => {
    await commit('times', { 0: 2 })
    const newOffset = async (body: object) =>
      (await reset('times', body)).body.partitions[0]!.new_offset
    const time = new Date(Date.now() - ageMs + 60_000).toISOString()
    expect(await newOffset({ to: 'time', time })).toBe(10)
    expect(await newOffset({ to: 'time', time: '0' })).toBe(0)
    expect(await newOffset({ to: 'duration', duration_ms: 2 * ageMs })).toBe(0)
    expect(await newOffset({ to: 'duration', duration_ms: 1_000 })).toBe(10)
    expect(await newOffset({ to: 'shift_by', shift_by: 3 })).toBe(5)
    expect(await newOffset({ to: 'shift_by', shift_by: -3 })).toBe(0)
  })

  test('may name topics and partitions without committed offsets', async () => {
    const topics = [{ topic: 'orders', partitions: [1] }, { topic: 'payments' }]
    const { body } = await reset('fresh', { to: 'latest', topics, execute: true })
    expect(body.partitions).toMatchObject([
      { topic: 'orders', partition: 1, old_offset: null, new_offset: 10, read_again: null },
      { topic: 'payments', partition: 0, old_offset: null, new_offset: 1, skipped: null },
    ])
    expect(await offsetsOf('fresh')).toEqual({ 'orders-1': 10, 'payments-0': 1 })
  })

  test.each<[object, number, string]>([
    [{ to: 'offset' }, 400, 'body/offset is missing'],
    [{ to: 'offset', offset: 1, time: '0' }, 400, 'body/time is not allowed with to: offset'],
    [{ to: 'latest', shift_by: 1 }, 400, 'body/shift_by is not allowed with to: latest'],
    [{ to: 'begin' }, 400, 'body/to must be one of earliest, latest'],
    [{ to: 'earliest', exectue: true }, 400, 'body has no property exectue: did you mean execute?'],
    [{ to: 'earliest', topics: [{ topic: 'nothing' }] }, 404, 'nothing'],
    [{ to: 'earliest', topics: [{ topic: 'orders', partitions: [2] }] }, 404, 'has no partition 2'],
    [{ to: 'earliest' }, 404, 'group unknown has committed no offsets'],
  ])('%j is refused', async (payload, status, message) => {
    const url = '/api/v1/groups/unknown/offsets:reset'
    const refused = await rest.refused({ method: 'POST', url, payload })
    expect(refused.status).toBe(status)
    expect(refused.message).toContain(message)
  })
})

describe('a group with members', () => {
  let consumer: GroupConsumer
  beforeAll(async () => {
    consumer = new GroupConsumer(rest.cluster, { groupId: 'busy', topics: ['orders'] })
  })

  test('is listed with its members, and cannot be reset or deleted', async () => {
    await commit('busy', { 0: 3 })
    const reading = consumer.poll()
    await expect
      .poll(async () => (await rest.get<{ state: string }>('/api/v1/groups/busy')).body.state, {
        timeout: 10_000,
      })
      .toBe('Stable')
    const { body } = await rest.get('/api/v1/groups/busy')
    expect(body).toMatchObject({
      members: [
        {
          client_id: 'rest-test',
          assignment: [
            { topic: 'orders', partition: 0 },
            { topic: 'orders', partition: 1 },
          ],
        },
      ],
    })
    const preview = await reset('busy', { to: 'earliest' })
    expect(preview.body).toMatchObject({ executed: false, can_execute: false })
    const url = '/api/v1/groups/busy'
    const execute = {
      ...{ method: 'POST', url: `${url}/offsets:reset` },
      payload: { to: 'earliest', execute: true },
    } as const
    const inUse = { status: 409, code: 'NON_EMPTY_GROUP' }
    expect(await rest.refused(execute)).toMatchObject(inUse)
    expect(await rest.refused({ method: 'DELETE', url })).toMatchObject(inUse)
    const ofTopic = { method: 'DELETE', url: `${url}/offsets?topic=orders` } as const
    expect(await rest.refused(ofTopic)).toMatchObject({
      ...{ status: 409, code: 'GROUP_SUBSCRIBED_TO_TOPIC' },
    })
    await consumer.close()
    await reading.catch(() => {})
  }, 30_000)
})

describe('deleting', () => {
  test('is possible for the offsets of one partition, and for the group', async () => {
    await commit('old', { 0: 1, 1: 2 })
    const one = await rest.delete('/api/v1/groups/old/offsets?topic=orders&partition=1')
    expect(one.body).toEqual({ group: 'old', deleted: [{ topic: 'orders', partition: 1 }] })
    expect(await offsetsOf('old')).toEqual({ 'orders-0': 1 })
    const url = '/api/v1/groups/old/offsets?topic=orders&partition=1'
    expect(await rest.refused({ method: 'DELETE', url })).toMatchObject({
      ...{ status: 404, code: 'NOTHING_COMMITTED' },
    })
    expect((await rest.delete('/api/v1/groups/old')).status).toBe(204)
    expect(await offsetsOf('old')).toEqual({})
    const again = await rest.refused({ method: 'DELETE', url: '/api/v1/groups/old' })
    expect(again).toMatchObject({ status: 404, code: 'GROUP_ID_NOT_FOUND' })
  })
})

test('groups are listed in pages', async () => {
  await commit('a-1', { 0: 1 })
  await commit('a-2', { 0: 1 })
  const { body } = await rest.get<{ metadata: { next: string }; data: { group: string }[] }>(
    '/api/v1/groups?page_size=1',
  )
  expect(body.data).toEqual([
    { group: 'a-1', state: 'Empty', type: 'classic', protocol_type: '', coordinator: 1 },
  ])
  const next = new URL(body.metadata.next)
  const second = await rest.get<{ data: { group: string }[] }>(next.pathname + next.search)
  expect(second.body.data.map(({ group }) => group)).toEqual(['a-2'])
})
