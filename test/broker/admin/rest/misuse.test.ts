// Malicious requests: none makes the server fail, and none reaches resources outside its path.

import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RestFixture } from './restFixture.ts'

let rest: RestFixture
let records: string
let port: number

beforeAll(async () => {
  rest = await RestFixture.start()
  await rest.admin.createTopics([{ name: 'orders', partitions: 1 }])
  const { clusterId } = await rest.admin.describeCluster()
  records = `/v3/clusters/${clusterId}/topics/orders/records`
  await rest.listen()
  port = (rest.server.server.address() as AddressInfo).port
}, 60_000)
afterAll(() => rest.close())

test.each([
  '__proto__',
  'constructor',
  'a%2Fb',
  '..%2F..%2Fetc',
  '%00',
  'a%0d%0aset-cookie:x=1',
  '%F0%9F%92%A5',
  '%ED%A0%80',
  'x'.repeat(300),
])('the name %s is unknown or refused', async (name) => {
  for (const path of [`topics/${name}`, `topics/${name}/records`, `groups/${name}/offsets`]) {
    const { status, headers, body } = await rest.get(`/api/v1/${path}`)
    expect([400, 404], `${path}: ${JSON.stringify(body)}`).toContain(status)
    expect(headers['set-cookie']).toBeUndefined()
  }
})

test('a value that is nested very deeply is refused, and other records are stored', async () => {
  const deep = (brackets: number, number = '1.10') =>
    `{"value": {"type": "JSON", "data": ${'['.repeat(brackets)}${number}${']'.repeat(brackets)}}}`
  const payload = `${deep(200_000)}\n${deep(200_000, '1')}\n${deep(10)}\n`
  const headers = { 'content-type': 'application/x-ndjson' }
  const { text } = await rest.ask({ method: 'POST', url: records, payload, headers })
  const results = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const refused = { error_code: 400, code: 'INVALID_RECORD' }
  expect(results).toMatchObject([refused, refused, { error_code: 200 }])
})

test('a body that is nested very deeply is refused', async () => {
  const payload = `{"to": ${'['.repeat(200_000)}${']'.repeat(200_000)}}`
  const headers = { 'content-type': 'application/json' }
  for (const url of ['/api/v1/groups/billing/offsets:reset', `${records}:batch`]) {
    expect((await rest.ask({ method: 'POST', url, payload, headers })).status).toBe(400)
  }
})

test('a query that is very long, or repeats a parameter, is refused', async () => {
  const path = '/api/v1/topics/orders/records'
  expect((await rest.refused({ url: `${path}?limit=1&limit=2` })).status).toBe(400)
  const many = Array.from({ length: 1_000 }, () => 'partition=0').join('&')
  expect((await rest.refused({ url: `${path}?${many}` })).status).toBe(400)
  const long = await fetch(`http://127.0.0.1:${port}${path}?key=${'x'.repeat(20_000)}`)
  expect(long.status).toBe(431)
})

test('pipelined requests are answered in order', async () => {
  const socket = connect(port, '127.0.0.1')
  const paths = ['/version', '/api/v1/topics', '/api/v1/nothing', '/healthy']
  const head = 'HTTP/1.1\r\nhost: localhost\r\n'
  const last = `GET /ready ${head}connection: close\r\n\r\n`
  socket.write(paths.map((path) => `GET ${path} ${head}\r\n`).join('') + last)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'end')
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
  expect(statuses).toEqual(['200', '200', '404', '200', '200'])
  socket.destroy()
})

test('an aborted body affects only its own connection', async () => {
  const socket = connect(port, '127.0.0.1')
  const type = 'content-type: application/json\r\ncontent-length: 1000'
  socket.write(`POST ${records}:batch HTTP/1.1\r\nhost: localhost\r\n${type}\r\n\r\n{"entries"`)
  await once(socket, 'connect')
  socket.destroy()
  expect((await rest.get('/api/v1/topics')).status).toBe(200)
})
