// Many concurrent clients, each with as many unfinished records as it can send: their memory is
// bounded in total, well-behaved clients are served, and all memory is released at the end.

import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RestFixture } from './restFixture.ts'

let rest: RestFixture
let records: string
let port: number

beforeEach(async () => {
  rest = await RestFixture.start({ limits: { recordBytes: 4_000_000 } })
  await rest.admin.createTopics([{ name: 'orders', partitions: 1 }])
  const { clusterId } = await rest.admin.describeCluster()
  records = `/v3/clusters/${clusterId}/topics/orders/records`
  await rest.listen()
  port = (rest.server.server.address() as AddressInfo).port
})
afterEach(() => rest.close())

const small = '{"value": {"type": "STRING", "data": "x"}}\n'

function openStream(): ClientRequest {
  const headers = { 'content-type': 'application/x-ndjson' }
  const stream = httpRequest({ host: '127.0.0.1', port, path: records, method: 'POST', headers })
  stream.on('error', () => {})
  return stream
}

async function resultsOf(stream: ClientRequest): Promise<{ error_code: number; code?: string }[]> {
  const [response] = (await once(stream, 'response')) as [IncomingMessage]
  const lines = (await text(response)).trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}

/** Resolves when the server has read everything that was written so far. */
async function read(stream: ClientRequest): Promise<void> {
  const socket =
    stream.socket ?? ((await once(stream, 'socket')) as [NonNullable<ClientRequest['socket']>])[0]
  await expect.poll(() => socket.writableLength).toBe(0)
}

describe('unfinished records', () => {
  const part = `{"value": {"type": "STRING", "data": "${'x'.repeat(500_000)}`
  const end = '"}}\n'

  test('are bounded in memory over all requests; records beyond the bound are refused one by one', async () => {
    const streams = Array.from({ length: 40 }, openStream)
    const results = streams.map(resultsOf)
    for (const stream of streams) stream.write(part)
    await Promise.all(streams.map(read))
    // Small records are still accepted.
    const other = openStream()
    other.end(small.repeat(100))
    expect((await resultsOf(other)).map(({ error_code }) => error_code)).toEqual(
      Array.from({ length: 100 }, () => 200),
    )
    for (const stream of streams) stream.end(`${end}${small}`)
    const answers = await Promise.all(results)
    const large = answers.map(([first]) => first!)
    expect(answers.map(([, second]) => second!.error_code)).toEqual(streams.map(() => 200))
    const stored = large.filter(({ error_code }) => error_code === 200)
    const refused = large.filter(({ code }) => code === 'TOO_MANY_BYTES_AT_ONCE')
    expect(stored.length + refused.length).toBe(40)
    // Records of 500 KB each have 4 MB of memory together.
    expect(stored.length).toBeGreaterThan(0)
    expect(stored.length).toBeLessThanOrEqual(8)
  })

  test('release their memory when their clients disconnect', async () => {
    const leaving = Array.from({ length: 20 }, openStream)
    for (const stream of leaving) stream.write(part)
    await Promise.all(leaving.map(read))
    for (const stream of leaving) stream.destroy()
    await expect
      .poll(async () => {
        const streams = Array.from({ length: 7 }, openStream)
        const results = streams.map(resultsOf)
        for (const stream of streams) stream.end(`${part}${end}`)
        return (await Promise.all(results)).flat().map(({ error_code }) => error_code)
      })
      .toEqual([200, 200, 200, 200, 200, 200, 200])
  })
})

test('batches share the same memory, and are refused with 429 when it is exhausted', async () => {
  const entry = { value: { type: 'STRING', data: 'x'.repeat(500_000) } }
  const entries = ['1', '2'].map((id) => ({ id, ...entry }))
  const headers = { 'content-type': 'application/json' }
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      fetch(`http://127.0.0.1:${port}${records}:batch`, {
        ...{ method: 'POST', headers, body: JSON.stringify({ entries }) },
      }),
    ),
  )
  const statuses = answers.map(({ status }) => status)
  expect(new Set([...statuses, 207, 429])).toEqual(new Set([207, 429]))
  for (const answer of answers) {
    if (answer.status === 207) {
      expect(await answer.json()).toMatchObject({ failures: [] })
      continue
    }
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'TOO_MANY_BYTES_AT_ONCE' })
  }
  // Afterwards the memory is free again.
  const { status } = await rest.post(`${records}:batch`, { entries })
  expect(status).toBe(207)
})
