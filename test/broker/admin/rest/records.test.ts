// Browsing records over REST: every record exactly once, for any page size and bound, in readable
// form.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ShownRecord } from '../../../../broker/admin/rest/v1/records/shownRecord.ts'
import { Compression } from '../../../../protocol/bytes/compression.ts'
import { Producer, type ProducerOptions } from '../../../../protocol/client/producer/producer.ts'
import { type Answer, RestFixture } from './restFixture.ts'

interface RecordList {
  readonly kind: string
  readonly metadata: { readonly self: string; readonly next: string | null }
  readonly scan: {
    readonly offsets_scanned: number
    readonly offsets_left: number
    readonly records_read: number
    readonly stopped_by: string
    readonly partitions: readonly { partition: number; from_offset: number; to_offset: number }[]
  }
  readonly data: readonly ShownRecord[]
}

let rest: RestFixture
const topic = 'orders'
const partitions = 3
/** The stored records by partition, in the order of their offsets. */
const stored: { key: string; value: string; timestamp: number }[][] = []

beforeAll(async () => {
  rest = await RestFixture.start()
  await rest.admin.createTopics([
    { name: topic, partitions },
    { name: 'empty', partitions: 1 },
    { name: 'shapes', partitions: 1 },
    { name: 'large', partitions: 1 },
  ])
  for (let partition = 0; partition < partitions; partition++) stored.push([])
  for (let at = 0; at < 900; at++) {
    const partition = (at * 7) % 10 < 5 ? 0 : (at % 2) + 1
    const key = `k${at % 10}`
    const record = { key, value: `value ${at}`, timestamp: 1_000_000 + at * 10 }
    stored[partition]!.push(record)
  }
  for (const [partition, records] of stored.entries()) {
    for (let from = 0; from < records.length; from += 37) {
      await produce(
        topic,
        records.slice(from, from + 37).map(({ key, value, timestamp }) => ({
          ...{ partition, timestampMs: timestamp },
          ...{ key: Buffer.from(key), value: Buffer.from(value) },
        })),
      )
    }
  }
}, 60_000)
afterAll(() => rest.close())

type Sent = Parameters<Producer['send']>[1]

async function produce(
  to: string,
  records: readonly Sent[],
  options: ProducerOptions = {},
): Promise<void> {
  const producer = new Producer(rest.cluster, rest.cluster.runtime, options)
  await Promise.all(records.map((record) => producer.send(to, record)))
  await producer.close()
}

const browse = (query = '', of = topic) =>
  rest.get<RecordList>(`/api/v1/topics/${of}/records${query}`)

/** Returns all pages, each requested by the link in the page before it. */
async function pages(query: string): Promise<RecordList[]> {
  const all: RecordList[] = []
  let url: string | null = `/api/v1/topics/${topic}/records${query}`
  while (url !== null) {
    const answer: Answer<RecordList> = await rest.get<RecordList>(url)
    const { status, body, text } = answer
    expect(status, text).toBe(200)
    all.push(body)
    expect(all.length).toBeLessThan(2_000)
    const next: string | null = body.metadata.next
    url = next === null ? null : next.slice(new URL(next).origin.length)
  }
  return all
}

const valuesOf = (records: readonly ShownRecord[]) => records.map(({ value }) => value.data)
const total = () => stored.reduce((sum, { length }) => sum + length, 0)

describe('pages', () => {
  test('have the newest records first by default, and report what was scanned', async () => {
    const { status, body } = await browse('?limit=5')
    expect(status).toBe(200)
    expect(valuesOf(body.data)).toEqual([899, 898, 897, 896, 895].map((at) => `value ${at}`))
    expect(body.scan).toMatchObject({ stopped_by: 'limit', offsets_scanned: 5 })
    expect(body.scan.offsets_left).toBe(total() - 5)
  })

  test('hold every record once, in the order of their timestamps, whatever the bounds', async () => {
    const query = fc.record({
      order: fc.constantFrom('newest', 'oldest'),
      limit: fc.integer({ min: 20, max: 400 }),
      scan_records: fc.integer({ min: 1, max: 2_000 }),
      scan_bytes: fc.constantFrom(1, 5_000, 16_000_000),
    })
    await fc.assert(
      fc.asyncProperty(query, async (parameters) => {
        const entries = Object.entries(parameters)
        const text = entries.map(([name, value]) => `${name}=${value}`).join('&')
        const all = await pages(`?${text}`)
        const records = all.flatMap(({ data }) => data)
        for (let partition = 0; partition < partitions; partition++) {
          const ofPartition = records.filter((record) => record.partition === partition)
          const offsets = ofPartition.map(({ offset }) => offset)
          const expected = stored[partition]!.map((_, offset) => offset)
          expect(offsets).toEqual(parameters.order === 'oldest' ? expected : expected.toReversed())
        }
        const scanned = all.reduce((sum, { scan }) => sum + scan.offsets_scanned, 0)
        expect(scanned).toBe(total())
        for (const [index, { scan }] of all.entries()) {
          const before = all
            .slice(0, index + 1)
            .reduce((sum, page) => sum + page.scan.offsets_scanned, 0)
          expect(scan.offsets_left).toBe(total() - before)
        }
        expect(all.at(-1)!.scan.stopped_by).toBe('end')
      }),
      { numRuns: 15 },
    )
  }, 60_000)

  test('with a key have only the records of that key, and report how many records were read', async () => {
    const all = await pages('?key=k3&order=oldest&limit=1000')
    const found = all.flatMap(({ data }) => data)
    const expected = stored.flat().filter(({ key }) => key === 'k3')
    expect(new Set(valuesOf(found))).toEqual(new Set(expected.map(({ value }) => value)))
    expect(found).toHaveLength(expected.length)
    expect(all.reduce((sum, { scan }) => sum + scan.records_read, 0)).toBe(total())
    const bounded = (await browse('?key=none&scan_records=10&order=oldest')).body
    expect(bounded.scan.stopped_by).toBe('records')
    expect(bounded.scan.offsets_left).toBeGreaterThan(0)
    expect(bounded.data).toEqual([])
  })

  test('with a text have the records that contain the text', async () => {
    const { body } = await browse('?contains=value%2089&limit=100')
    expect(valuesOf(body.data)).toEqual(
      [899, 898, 897, 896, 895, 894, 893, 892, 891, 890, 89].map((at) => `value ${at}`),
    )
  })

  test('begin at an offset or a time', async () => {
    const atOffset = (await browse('?partition=1&from_offset=5&limit=2')).body
    expect(atOffset.data.map(({ offset }) => offset)).toEqual([5, 6])
    const time = new Date(1_000_000 + 600 * 10).toISOString()
    const atTime = (await browse(`?from_time=${time}&limit=1000`)).body
    expect(valuesOf(atTime.data)).toEqual(
      stored
        .flat()
        .filter(({ timestamp }) => timestamp >= 1_006_000)
        .sort((one, other) => one.timestamp - other.timestamp)
        .map(({ value }) => value),
    )
    const inMs = (await browse('?from_time=1006000&limit=1000')).body
    expect(inMs.data).toEqual(atTime.data)
    const newest = (await browse('?from_time=1006000&order=newest&limit=1')).body
    expect(valuesOf(newest.data)).toEqual(['value 899'])
    const later = (await browse('?from_time=2030-01-01')).body
    expect(later).toMatchObject({ data: [], scan: { stopped_by: 'end', offsets_left: 0 } })
  })

  test('of a topic without records are empty', async () => {
    const { body } = await browse('', 'empty')
    expect(body).toMatchObject({
      ...{ data: [], metadata: { next: null } },
      scan: { stopped_by: 'end', offsets_scanned: 0, offsets_left: 0 },
    })
  })
})

describe('browsing refuses', () => {
  test.each([
    ['?partition=3', 404, 'topic orders has no partition 3'],
    ['?from_offset=1&from_time=5', 400, 'from_offset and from_time exclude each other'],
    ['?from_time=yesterday', 400, /^query\/from_time must/],
    ['?from_time=2026-13-45', 400, '2026-13-45 is not a valid time'],
    ['?page_token=abc', 400, /^page_token was not issued for topic orders/],
    ['?limit=1001', 400, 'query/limit must be <= 1000'],
    ['?isolation=commited', 400, /^query\/isolation must be one of/],
  ])('%s', async (query, status, message) => {
    const refused = await rest.refused({ url: `/api/v1/topics/orders/records${query}` })
    expect(refused.status).toBe(status)
    expect(refused.message).toMatch(message)
  })

  test('a topic that does not exist, without retries', async () => {
    const refused = await rest.refused({ url: '/api/v1/topics/nothing/records' })
    expect(refused).toMatchObject({ status: 404, code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    const bad = await rest.refused({ url: '/api/v1/topics/a%20b/records' })
    expect(bad.status).toBe(400)
  })

  test('a token of another topic, order or choice of partitions', async () => {
    const { next } = (await browse('?limit=1')).body.metadata
    const token = new URL(next!).searchParams.get('page_token')!
    for (const url of [
      `/api/v1/topics/empty/records?page_token=${token}`,
      `/api/v1/topics/orders/records?order=oldest&page_token=${token}`,
      `/api/v1/topics/orders/records?partition=1&page_token=${token}`,
    ]) {
      expect(await rest.refused({ url })).toMatchObject({ code: 'INVALID_PAGE_TOKEN' })
    }
  })
})

describe('a record', () => {
  beforeAll(async () => {
    const values: (string | Buffer | null)[] = [
      '{"id":7,"tags":["a"]}',
      '{"id":12345678901234567890}',
      'plain text, ünïcode',
      '{"cut": ',
      '42',
      Buffer.from([0, 1, 2, 255]),
      Buffer.from('a\u0000b'),
      '',
      null,
    ]
    await produce(
      'shapes',
      values.map((value) => ({
        ...{ partition: 0, timestampMs: 1_700_000_000_000, key: null },
        value: value === null ? null : Buffer.from(value),
        headers: [
          { key: 'trace', value: Buffer.from('t1') },
          { key: 'none', value: null },
        ],
      })),
      { compression: Compression.gzip },
    )
  })

  test('is shown as JSON, text or base64, depending on its bytes', async () => {
    const { body } = await browse('?order=oldest', 'shapes')
    expect(body.data.map(({ value }) => [value.encoding, value.data, value.size_bytes])).toEqual([
      ['json', { id: 7, tags: ['a'] }, 21],
      ['text', '{"id":12345678901234567890}', 27],
      ['text', 'plain text, ünïcode', 21],
      ['text', '{"cut": ', 8],
      ['text', '42', 2],
      ['base64', 'AAEC/w==', 4],
      ['base64', 'YQBi', 3],
      ['text', '', 0],
      ['null', null, 0],
    ])
    expect(body.data[0]).toMatchObject({
      ...{ partition: 0, offset: 0, timestamp: '2023-11-14T22:13:20.000Z' },
      ...{ timestamp_ms: 1_700_000_000_000, timestamp_type: 'create_time' },
      ...{ compression: 'gzip', transactional: false, headers_left_out: 0 },
      key: { encoding: 'null', data: null },
      headers: [
        { name: 'trace', value: { encoding: 'text', data: 't1', size_bytes: 2 } },
        { name: 'none', value: { encoding: 'null' } },
      ],
    })
  })

  test('that is long is truncated after a whole character, and marked as truncated', async () => {
    const { body } = await browse('?order=oldest&max_value_bytes=14', 'shapes')
    expect(body.data.map(({ value }) => value)).toMatchObject([
      { encoding: 'text', data: '{"id":7,"tags"', size_bytes: 21, truncated: true },
      { truncated: true },
      { encoding: 'text', data: 'plain text, ü', size_bytes: 21, truncated: true },
      { truncated: false },
      { truncated: false },
      { truncated: false },
      { truncated: false },
      { truncated: false },
      { truncated: false },
    ])
    const shorter = (await browse('?order=oldest&max_value_bytes=13&limit=3', 'shapes')).body
    expect(shorter.data[2]!.value.data).toBe('plain text, ')
  })

  test('is found by its offset; the error for a missing record has the reason', async () => {
    const at = (offset: number, more = '') =>
      `/api/v1/topics/shapes/partitions/0/records/${offset}${more}`
    const { body } = await rest.get<ShownRecord>(at(2))
    expect(body).toMatchObject({ offset: 2, value: { data: 'plain text, ünïcode' } })
    expect(await rest.refused({ url: at(9) })).toMatchObject({
      ...{ status: 404, code: 'OFFSET_NOT_WRITTEN' },
      message: 'offset 9 of shapes-0 cannot be read yet: the log ends at 9',
    })
    await rest.admin.deleteRecords([{ topic: 'shapes', partition: 0, offset: 1 }])
    expect(await rest.refused({ url: at(0) })).toMatchObject({ code: 'OFFSET_REMOVED' })
    expect((await rest.refused({ url: at(-1) })).status).toBe(400)
    const url = '/api/v1/topics/shapes/partitions/7/records/0'
    expect((await rest.refused({ url })).status).toBe(404)
  })
})

test('a page is bounded in bytes, but may have one record larger than the bound', async () => {
  const value = Buffer.alloc(900 * 1024, 'x')
  const records = Array.from({ length: 30 }, () => ({ partition: 0, key: null, value }))
  await produce('large', records, { batchBytes: 1024 * 1024 })
  for (const order of ['newest', 'oldest']) {
    const query = `?order=${order}&limit=1000&max_value_bytes=1048576&scan_bytes=268435456`
    const { body, text } = await browse(query, 'large')
    expect(body.scan.stopped_by).toBe('bytes')
    expect(text.length).toBeLessThan(9 * 1024 * 1024)
    expect(body.data.length).toBeGreaterThan(5)
    const few = (await browse(`?order=${order}&scan_bytes=1`, 'large')).body
    expect(few.data.length).toBeGreaterThan(0)
    expect(few.scan.stopped_by).toBe('bytes')
  }
}, 30_000)
