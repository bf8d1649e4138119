// Time limits of record streams, and the rate limit of produce requests.

import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createInterface } from 'node:readline'
import { json } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { RestFixture, type RestFixtureOptions } from '../restFixture.ts'

let rest: RestFixture
let topics: string
let port: number

const start = async (options: RestFixtureOptions) => {
  rest = await RestFixture.start(options)
  await rest.admin.createTopics([{ name: 'orders', partitions: 1 }])
  topics = `/v3/clusters/${(await rest.admin.describeCluster()).clusterId}/topics`
  await rest.listen()
  port = (rest.server.server.address() as AddressInfo).port
}
afterEach(() => rest.close())

const open = (path: string, headers: Record<string, string>): ClientRequest =>
  httpRequest({ host: '127.0.0.1', port, path, method: 'POST', headers })
const openStream = () =>
  open(`${topics}/orders/records`, { 'content-type': 'application/x-ndjson' })
const line = '{"value": {"type": "STRING", "data": "x"}}\n'

async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

test('a stream may exceed the time limit of requests, but a slow body may not', async () => {
  await start({ bodyTimeoutMs: 30 })
  const stream = openStream()
  stream.write(line)
  const results = createInterface(await answerOf(stream))[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await results.next()).value!)
  expect(await next()).toMatchObject({ offset: 0 })

  const headers = { 'content-type': 'application/json', 'content-length': '100' }
  const slow = open(topics, headers)
  slow.write('{')
  const refused = await answerOf(slow)
  expect(refused.statusCode).toBe(408)
  expect(await json(refused)).toMatchObject({ code: 'REQUEST_TIMEOUT', action: /\w/ })

  stream.end(line)
  expect(await next()).toMatchObject({ offset: 1 })
  expect((await results.next()).done).toBe(true)
})

test('an idle stream is ended, before and after its first record', async () => {
  await start({ limits: { streamIdleMs: 1_000 } })
  const empty = openStream()
  empty.write(' ')
  const refused = await answerOf(empty)
  expect(refused.statusCode).toBe(408)
  expect(await json(refused)).toMatchObject({ code: 'STREAM_IDLE', error_code: 408 })

  const stalled = openStream()
  stalled.on('error', () => {})
  stalled.write(line)
  const response = await answerOf(stalled)
  const [error] = await once(response.resume(), 'error')
  expect(error).toMatchObject({ code: 'ECONNRESET' })
})

test('a client that does not read its results is no longer read, and then disconnected', async () => {
  await start({ limits: { streamIdleMs: 500 } })
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let isOpen = true
  const closed = new Promise<void>((end) => {
    socket.pause().on('error', () => {
      isOpen = false
      end()
    })
  })
  socket.write(
    `POST ${topics}/orders/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n`,
  )
  // Refused records cost the least, and their results are as long as others.
  const many = '[]\n'.repeat(20_000)
  const chunk = `${many.length.toString(16)}\r\n${many}\r\n`
  while (isOpen) {
    if (!socket.write(chunk))
      await Promise.race([new Promise((go) => socket.once('drain', go)), closed])
  }
  await closed
}, 60_000)

test('the limit on changes does not apply to records, which have their own limit', async () => {
  await start({ limits: { changes: 3, records: 20, windowMs: 60_000 } })
  const url = `${topics}/orders/records`
  const produce = async () => (await rest.post(url, JSON.parse(line))).status
  for (let count = 0; count < 20; count++) expect(await produce()).toBe(200)
  expect(await rest.refused({ method: 'POST', url, payload: {} })).toMatchObject({
    status: 429,
    message: 'more than 20 requests with records in 60 s from this client',
  })
  // Changes have a separate limit, and are still possible.
  expect((await rest.delete(`${topics}/orders`)).status).toBe(204)
})
