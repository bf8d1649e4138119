// Tailing a topic over REST, over real sockets.

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TailEvent } from '../../../../broker/admin/rest/v1/records/recordTail.ts'
import { Producer } from '../../../../protocol/client/producer/producer.ts'
import { RestFixture } from './restFixture.ts'

let rest: RestFixture
let producer: Producer
let address: string

beforeEach(async () => {
  rest = await RestFixture.start({ limits: { tailsAtOnce: 2 } })
  await rest.admin.createTopics([{ name: 'orders', partitions: 3 }])
  producer = new Producer(rest.cluster, rest.cluster.runtime, { lingerMs: 0 })
  address = await rest.listen()
}, 30_000)
afterEach(async () => {
  await producer.close()
  await rest.close()
})

const send = (value: string, partition = 0, key: string | null = null) =>
  producer.send('orders', {
    ...{ partition, value: Buffer.from(value) },
    key: key === null ? null : Buffer.from(key),
  })

class Tail {
  readonly response: Response
  readonly #stop: AbortController
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #text = ''

  private constructor(response: Response, stop: AbortController) {
    this.response = response
    this.#stop = stop
    this.#reader = response.body!.getReader()
  }

  static async open(
    query = '',
    accept = 'application/x-ndjson',
    more: Record<string, string> = {},
  ): Promise<Tail> {
    const stop = new AbortController()
    const url = `${address}/api/v1/topics/orders/records/tail${query}`
    const tail = new Tail(
      await fetch(url, { headers: { accept, ...more }, signal: stop.signal }),
      stop,
    )
    if (tail.response.status === 200 && accept !== 'text/event-stream') await tail.next()
    return tail
  }

  async line(): Promise<string> {
    while (!this.#text.includes('\n')) {
      const { value, done } = await this.#reader.read()
      if (done) throw new Error('the stream ended')
      this.#text += Buffer.from(value)
    }
    const end = this.#text.indexOf('\n')
    const line = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 1)
    return line
  }

  async next(): Promise<Record<string, unknown> & { event: TailEvent['event'] | 'error' }> {
    return JSON.parse(await this.line())
  }

  /** Returns the values of the next `count` records, and skips other events. */
  async values(count: number): Promise<unknown[]> {
    const values: unknown[] = []
    while (values.length < count) {
      const { event, record } = await this.next()
      if (event === 'record') values.push((record as { value: { data: unknown } }).value.data)
    }
    return values
  }

  close(): void {
    this.#stop.abort()
  }
}

test('records of all partitions are sent when they are written, and no earlier records', async () => {
  await send('before')
  const tail = await Tail.open()
  expect(tail.response.headers.get('content-type')).toBe('application/x-ndjson')
  await send('one', 0)
  expect(await tail.values(1)).toEqual(['one'])
  await send('two', 2)
  await send('three', 1)
  expect(new Set(await tail.values(2))).toEqual(new Set(['two', 'three']))
  tail.close()
})

test('events are server-sent events unless the client requests lines', async () => {
  const tail = await Tail.open('?from_offset=0', 'text/event-stream')
  expect(tail.response.headers.get('content-type')).toBe('text/event-stream')
  expect(await tail.line()).toBe('event: heartbeat')
  expect(await tail.line()).toBe('id: 0:0,0,0')
  expect(await tail.line()).toMatch(/^data: \{"time":/)
  expect(await tail.line()).toBe('')
  await send('one')
  expect(await tail.line()).toBe('event: record')
  expect(await tail.line()).toBe('id: 0:1,0,0')
  expect(await tail.line()).toMatch(/^data: \{"partition":0,"offset":0,/)
  tail.close()
})

test('a tail can be limited to a key and a partition, and start at an offset', async () => {
  for (let at = 0; at < 20; at++) await send(`value ${at}`, 0, `k${at % 4}`)
  const tail = await Tail.open('?from_offset=8&key=k1&partition=0')
  expect(await tail.values(3)).toEqual(['value 9', 'value 13', 'value 17'])
  tail.close()
})

test('a client that reconnects continues after its newest event', async () => {
  const first = await Tail.open('?from_offset=0&key=k')
  for (let at = 0; at < 12; at++) await send(`value ${at}`, at % 3, at === 4 ? 'other' : 'k')
  const seen: unknown[] = []
  let id = ''
  while (seen.length < 5) {
    const event = await first.next()
    if (event.event === 'record') {
      seen.push((event.record as { value: { data: unknown } }).value.data)
    }
    id = String(event.id)
  }
  first.close()
  const second = await Tail.open('?from_offset=0&key=k', undefined, { 'last-event-id': id })
  seen.push(...(await second.values(6)))
  second.close()
  const wanted = Array.from({ length: 12 }, (_, at) => `value ${at}`).filter((_, at) => at !== 4)
  expect(seen.toSorted()).toEqual(wanted.toSorted())
}, 30_000)

test('a browser that reconnects continues after its newest event', async () => {
  const tail = await Tail.open('', 'text/event-stream')
  const lineOf = async (start: string) => {
    for (;;) {
      const line = await tail.line()
      if (line.startsWith(start)) return line.slice(start.length)
    }
  }
  const id = await lineOf('id: ')
  tail.close()
  await send('between', 2)
  const again = await Tail.open('', undefined, { 'last-event-id': id })
  expect(await again.values(1)).toEqual(['between'])
  again.close()
})

test.each(['x', '', '0:1,', '7:1', '0:1,0:2', '0:99999999999999999', '0:-1'])(
  'the event id %j is refused',
  async (id) => {
    const headers = { 'last-event-id': id }
    const url = '/api/v1/topics/orders/records/tail'
    expect(await rest.refused({ url, headers })).toMatchObject({ code: 'INVALID_EVENT_ID' })
  },
)

test('records above the maximum rate of a client are skipped and counted', async () => {
  const count = 500
  const tail = await Tail.open('?max_per_second=20')
  await Promise.all(Array.from({ length: count }, (_, at) => send(`value ${at}`)))
  let seen = 0
  let skipped = 0
  while (seen + skipped < count) {
    const event = await tail.next()
    if (event.event === 'record') seen++
    if (event.event === 'skipped') skipped += Number(event.offsets)
  }
  expect(seen + skipped).toBe(count)
  expect(skipped).toBeGreaterThan(0)
  tail.close()
})

test('the number of tails is bounded, and another one is accepted when one is closed', async () => {
  const [first, second] = [await Tail.open(), await Tail.open()]
  const third = await Tail.open()
  expect(third.response.status).toBe(429)
  expect(third.response.headers.get('retry-after')).toBe('1')
  first.close()
  await expect
    .poll(async () => {
      const again = await Tail.open()
      again.close()
      return again.response.status
    })
    .toBe(200)
  second.close()
})

test('the last event of a failed tail is the error', async () => {
  const tail = await Tail.open()
  await rest.admin.deleteTopics(['orders'])
  let last = await tail.next()
  while (last.event !== 'error') last = await tail.next()
  expect(last).toMatchObject({ event: 'error', code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  await expect(tail.line()).rejects.toThrow('the stream ended')
}, 30_000)

test.each([
  ['nothing', '', 404],
  ['orders', '?partition=9', 404],
  ['orders', '?max_per_second=0', 400],
])('the topic %s with %s is refused', async (topic, query, status) => {
  const response = await fetch(`${address}/api/v1/topics/${topic}/records/tail${query}`)
  expect(response.status).toBe(status)
  expect(await response.json()).toMatchObject({ action: expect.any(String) })
})
