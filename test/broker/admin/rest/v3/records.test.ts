// Producing over Confluent's paths: single records, batches and long-lived streams.

import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ProduceResult } from '../../../../../broker/admin/rest/v3/records/produceResult.ts'
import { OffsetSpec } from '../../../../../protocol/client/admin.ts'
import { PartitionReader } from '../../../../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../../../../protocol/kafka/records/recordBatch.ts'
import { type Record, records } from '../../../../../protocol/kafka/records/recordCursor.ts'
import { RestFixture } from '../restFixture.ts'

let rest: RestFixture
let topics: string
let clusterId: string
let port: number

beforeAll(async () => {
  rest = await RestFixture.start()
  clusterId = (await rest.admin.describeCluster()).clusterId
  topics = `/v3/clusters/${clusterId}/topics`
  await rest.server.listen({ host: '127.0.0.1', port: 0 })
  port = (rest.server.server.address() as AddressInfo).port
})

afterAll(() => rest.close())

async function create(topic: string, partitions = 1, configs = {}): Promise<string> {
  await rest.admin.createTopics([{ name: topic, partitions, configs }])
  return `${topics}/${topic}/records`
}

const produce = (url: string, payload: object) => rest.post<ProduceResult>(url, payload)

async function sendText(url: string, payload: string, type = 'application/json') {
  const headers = { 'content-type': type }
  const answer = await rest.server.inject({ method: 'POST', url, payload, headers })
  const results = answer.payload.trim().split('\n')
  return {
    status: answer.statusCode,
    contentType: answer.headers['content-type'],
    results: results.map((line) => JSON.parse(line) as ProduceResult),
  }
}

async function stored(topic: string, partition = 0): Promise<Record[]> {
  const reader = new PartitionReader(rest.cluster, { topic, partition })
  const found: Record[] = []
  for (let next = 0, end = await reader.latest(); next < end; ) {
    const fetched = await reader.fetch(next)
    for (const batch of splitBatches(fetched.batches)) {
      for (const record of records(batch, 1e7)) {
        if (record.offset >= next) found.push({ ...record, value: copied(record.value) })
      }
    }
    next = found.at(-1)!.offset + 1
  }
  reader.close()
  return found
}

const copied = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes)
const text = (value: string) => ({ value: { type: 'STRING', data: value } })
const textsOf = (all: readonly Record[]) => all.map(({ value }) => String(value))

describe('one record', () => {
  test('is stored with key, headers, partition and time', async () => {
    const url = await create('one', 3)
    const { status, body } = await produce(url, {
      partition_id: 2,
      key: { type: 'BINARY', data: 'AAH/' },
      value: { type: 'JSON', data: { amount: 3, to: ['ü'] } },
      headers: [
        { name: 'trace', value: 'eHl6' },
        { name: 'none', value: null },
      ],
      timestamp: '2026-02-05T19:14:42.123Z',
    })
    expect(status).toBe(200)
    expect(body).toEqual({
      error_code: 200,
      cluster_id: clusterId,
      topic_name: 'one',
      partition_id: 2,
      offset: 0,
      timestamp: '2026-02-05T19:14:42.123Z',
      key: { type: 'BINARY', size: 3 },
      value: { type: 'JSON', size: 24 },
    })
    const reader = new PartitionReader(rest.cluster, { topic: 'one', partition: 2 })
    const fetched = await reader.fetch(0)
    const [record] = [...records([...splitBatches(fetched.batches)][0]!, 1e6)]
    expect(record!.key).toEqual(Buffer.from([0, 1, 255]))
    expect(String(record!.value)).toBe('{"amount":3,"to":["ü"]}')
    expect(record!.timestamp).toBe(Date.parse('2026-02-05T19:14:42.123Z'))
    expect(record!.headers.map(({ key, value }) => [key, value && String(value)])).toEqual([
      ['trace', 'xyz'],
      ['none', null],
    ])
    reader.close()
  })

  test('is partitioned by its key', async () => {
    const url = await create('keyed', 8)
    const record = { key: { type: 'STRING', data: 'k1' }, ...text('v') }
    const places = [await produce(url, record), await produce(url, record)]
    expect(places[0]!.body.partition_id).toBe(places[1]!.body.partition_id)
  })

  test('may be empty, or a tombstone', async () => {
    const url = await create('empty')
    expect((await produce(url, {})).body).toMatchObject({ error_code: 200, offset: 0 })
    const tombstone = { key: { type: 'STRING', data: 'k' }, value: { type: 'JSON', data: null } }
    expect((await produce(url, tombstone)).body).toMatchObject({ value: { size: 0 } })
    expect((await produce(url, text(''))).body).toMatchObject({ error_code: 200, offset: 2 })
    expect((await stored('empty')).map(({ value }) => value && String(value))).toEqual([
      null,
      null,
      '',
    ])
  })

  test('keeps the digits of its numbers', async () => {
    const url = await create('exact')
    const data = '{"id":12345678901234567890,"price":1.10}'
    await sendText(url, `{"value":{"type":"JSON","data":${data}}}`)
    expect(textsOf(await stored('exact'))).toEqual([data])
  })

  test.each([
    [{ value: { type: 'BINARY', data: '1' } }, 400, 'value/data is not base64'],
    [{ value: { type: 'BINARY', data: 1 } }, 400, 'value/data is not a string'],
    [{ value: { type: 'STRING', data: 1 } }, 400, 'value/data is not a string'],
    [{ value: { data: 'x' } }, 400, 'needs a schema registry'],
    [{ value: { type: 'AVRO', data: 'x' } }, 400, 'needs a schema registry'],
    [{ valeu: { type: 'STRING', data: 'x' } }, 40002, 'did you mean'],
    [{ ...text('x'), timestamp: 'yesterday' }, 400, 'timestamp'],
    [{ ...text('x'), timestamp: '1969-01-01T00:00:00Z' }, 400, 'timestamp'],
    [{ ...text('x'), partition_id: 7 }, 40403, 'UNKNOWN_TOPIC_OR_PARTITION'],
    [{ ...text('x'), partition_id: -1 }, 40002, 'partition_id'],
    [{ ...text('x'), headers: [{ name: 'a', value: '?' }] }, 400, 'headers/0/value'],
    [{ ...text('x'), headers: [{ value: 'eA==' }] }, 40002, 'headers/0'],
    [[], 40002, 'body'],
    [text('x'.repeat(2_000_000)), 413, 'MESSAGE_TOO_LARGE'],
  ])('%j is refused', async (payload, code, message) => {
    const topic = `bad-${Buffer.from(JSON.stringify(payload).slice(0, 60)).toString('hex')}`
    const url = await create(topic)
    const { status, body } = await produce(url, payload)
    expect(status).toBe(200)
    expect(body).toMatchObject({ error_code: code, action: expect.any(String) })
    expect(`${body.message} ${body.code}`).toContain(message)
    expect([...(await rest.admin.listOffsets(topic, OffsetSpec.latest)).values()]).toEqual([0])
  })

  test('is refused before it is read when the topic does not exist, and creates no topic', async () => {
    const url = `${topics}/nowhere/records`
    const refused = await rest.refused({ method: 'POST', url, payload: text('x') })
    expect(refused).toMatchObject({ status: 404, code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    expect(await rest.admin.listTopics()).not.toContain('nowhere')
  })

  test('is required, and must be JSON', async () => {
    const url = await create('checked')
    const none = await rest.refused({ method: 'POST', url })
    expect(none).toMatchObject({ status: 400, code: 'EMPTY_BODY' })
    const headers = { 'content-type': 'text/plain' }
    const plain = await rest.refused({ method: 'POST', url, payload: '{}', headers })
    expect(plain.status).toBe(415)
    const { results } = await sendText(url, 'hello')
    expect(results).toMatchObject([{ error_code: 400, code: 'INVALID_RECORD' }])
  })

  test('is produced only with POST', async () => {
    for (const path of ['records', 'records:batch']) {
      const request = { method: 'GET', url: `${topics}/one/${path}` } as const
      expect(await rest.refused(request)).toMatchObject({ status: 405 })
      expect((await rest.ask(request)).headers.allow).toContain('POST')
    }
  })

  test('can be produced to partitions and topics that were created after the previous one', async () => {
    const url = await create('grown')
    await produce(url, text('a'))
    await rest.admin.createPartitions('grown', 3)
    expect((await produce(url, { ...text('b'), partition_id: 2 })).body.offset).toBe(0)
    await rest.admin.deleteTopics(['grown'])
    await create('grown', 5)
    expect((await produce(url, { ...text('c'), partition_id: 4 })).body.offset).toBe(0)
  })
})

describe('several records in one request', () => {
  test('an invalid record does not affect the others', async () => {
    const url = await create('mixed')
    const good = ['a', 'b', 'c'].map((value) => JSON.stringify(text(value)))
    const input = `${good[0]}{"value":{"type":"STRING","data":"x}\n${good[1]} nonsense\n${good[2]}`
    const { status, results } = await sendText(url, input)
    expect(status).toBe(200)
    expect(results.map(({ error_code }) => error_code)).toEqual([200, 400, 200, 400, 200])
    expect(textsOf(await stored('mixed'))).toEqual(['a', 'b', 'c'])
  })

  test('records in lines are answered in lines', async () => {
    const url = await create('lines')
    const good = ['a', 'b'].map((value) => JSON.stringify(text(value)))
    const input = `${good[0]}\n{"value":{\n\n${good[1]}\n`
    const { contentType, results } = await sendText(url, input, 'application/x-ndjson')
    expect(contentType).toBe('application/x-ndjson')
    expect(results.map(({ error_code }) => error_code)).toEqual([200, 400, 200])
    expect(textsOf(await stored('lines'))).toEqual(['a', 'b'])
  })

  test('twenty thousand records are stored in order', async () => {
    const url = await create('many')
    const values = Array.from({ length: 20_000 }, (_, index) => `value ${index}`)
    const input = values.map((value) => `${JSON.stringify(text(value))}\n`).join('')
    const { results } = await sendText(url, input, 'application/x-ndjson')
    expect(results.map(({ offset }) => offset)).toEqual(values.map((_, index) => index))
    expect(textsOf(await stored('many'))).toEqual(values)
  })

  test('a record that is too large to read is skipped', async () => {
    const url = await create('large', 1, { 'max.message.bytes': '20000000' })
    const large = JSON.stringify(text('x'.repeat(9 * 1024 * 1024)))
    const input = `${large}\n${JSON.stringify(text('small'))}\n`
    const { results } = await sendText(url, input, 'application/x-ndjson')
    expect(results).toMatchObject([{ error_code: 413 }, { error_code: 200, offset: 0 }])
  })
})

describe('a batch', () => {
  test('has the outcome of each entry in its answer', async () => {
    const url = await create('batch')
    const { status, body } = await rest.post(`${url}:batch`, {
      entries: [
        { id: '1', ...text('a') },
        { id: '2', value: { type: 'BINARY', data: '1' } },
        { id: '3', ...text('b') },
      ],
    })
    expect(status).toBe(207)
    expect(body).toMatchObject({
      successes: [
        { id: '1', offset: 0, value: { type: 'STRING', size: 1 } },
        { id: '3', offset: 1 },
      ],
      failures: [{ id: '2', error_code: 400 }],
    })
    expect(textsOf(await stored('batch'))).toEqual(['a', 'b'])
  })

  test.each([
    [{}, 400],
    [{ entries: [] }, 400],
    [{ entries: [text('x')] }, 400],
    [{ entries: [{ id: '1' }, { id: '1' }] }, 400],
    [{ entries: [{ id: 'x'.repeat(81) }] }, 400],
    [{ entries: Array.from({ length: 1001 }, (_, id) => ({ id: String(id) })) }, 400],
    [{ entries: [{ id: '1', ...text('x'.repeat(9_000_000)) }] }, 413],
  ])('%# is refused as a whole', async (payload, status) => {
    await create(`batch-${JSON.stringify(payload).length}`)
    const url = `${topics}/batch-${JSON.stringify(payload).length}/records:batch`
    expect((await rest.refused({ method: 'POST', url, payload })).status).toBe(status)
  })
})

describe('a stream', () => {
  function open(path: string): ClientRequest {
    const headers = { 'content-type': 'application/x-ndjson' }
    return httpRequest({ host: '127.0.0.1', port, path, method: 'POST', headers })
  }

  const line = (value: string) => `${JSON.stringify(text(value))}\n`

  test('has each record answered while the request continues', async () => {
    const request = open(await create('lasting'))
    request.write(line('first'))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    const results = createInterface(response)[Symbol.asyncIterator]()
    const next = async () => JSON.parse((await results.next()).value!) as ProduceResult
    expect(await next()).toMatchObject({ error_code: 200, offset: 0 })
    request.write(line('second'))
    expect(await next()).toMatchObject({ offset: 1 })
    request.write('{"value"')
    request.write(':}\n')
    expect(await next()).toMatchObject({ error_code: 400 })
    request.end(line('third'))
    expect(await next()).toMatchObject({ offset: 2 })
    expect((await results.next()).done).toBe(true)
  })

  test('keeps its stored records when the client disconnects, and the server continues', async () => {
    const url = await create('broken')
    const request = open(url)
    request.on('error', () => {})
    request.write(line('kept'))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.on('error', () => {})
    await once(response, 'data')
    request.destroy()
    expect((await produce(url, text('after'))).body).toMatchObject({ offset: 1 })
    expect(textsOf(await stored('broken'))).toEqual(['kept', 'after'])
  })
})
