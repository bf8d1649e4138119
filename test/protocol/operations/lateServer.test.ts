// Lazily loaded routes, over real sockets.

import { once } from 'node:events'
import { type RequestListener, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { guardedServer } from '../../../protocol/operations/guardedServer.ts'
import type { LateRoutes } from '../../../protocol/operations/lateServer.ts'
import {
  type OperationsServer,
  startOperationsServer,
} from '../../../protocol/operations/operationsServer.ts'
import { turns } from '../../eventLoop.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { plainOperations } from './plainOperations.ts'

let logger: MemoryLogger
let server: OperationsServer
let loads: number
let load: LateRoutes

/** Answers with the method, path and body of the request. */
const echo: RequestListener = async (incoming, response) => {
  const body = await text(incoming)
  response.end(`${incoming.method} ${incoming.url} ${body}`)
}

beforeEach(async () => {
  logger = new MemoryLogger()
  loads = 0
  load = async () => echo
  server = await startOperationsServer({
    ...{ logger, listen: { host: '127.0.0.1', port: 0 }, option: '--listen' },
    operations: plainOperations,
    others: () => {
      loads++
      return load()
    },
  })
})
afterEach(() => server.close())

async function ask(path: string, options: RequestInit = {}) {
  const response = await fetch(`${server.url}${path}`, options)
  return { status: response.status, body: await response.text() }
}

test.each(['/healthy', '/ready', '/version', '/metrics', '/metrics/', '/healthy?verbose=1'])(
  'the server itself answers %s, and nothing is loaded',
  async (path) => {
    expect(await ask(path)).toMatchObject({ status: 200 })
    expect(await ask(path, { method: 'HEAD' })).toEqual({ status: 200, body: '' })
    expect(loads).toBe(0)
  },
)

test.each([
  ['GET', '/'],
  ['POST', '/healthy'],
  ['OPTIONS', '/metrics'],
  ['PROPFIND', '/healthy'],
  ['GET', '//healthy'],
  ['GET', '/healthy%20'],
  ['GET', '/%'],
])('%s %s is for the routes that are loaded', async (method, path) => {
  expect(await ask(path, { method })).toEqual({ status: 200, body: `${method} ${path} ` })
  expect(loads).toBe(1)
})

describe('connections', () => {
  const open = async () => {
    const { host, port } = server.address
    const socket = connect(port, host)
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  const answer = async (socket: Socket, text: string) => {
    socket.write(text)
    return await Promise.race([
      once(socket, 'data').then(([chunk]) => String(chunk).slice(0, 12)),
      once(socket, 'close').then(() => 'closed'),
    ])
  }
  const version = 'GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n'

  test('number 257 is closed at once, and is accepted after another one has closed', async () => {
    const held = await Promise.all(Array.from({ length: 256 }, open))
    expect(await answer(held.at(-1)!, version)).toBe('HTTP/1.1 200')
    expect(await answer(await open(), version)).toBe('closed')
    held[0]!.destroy()
    await expect.poll(async () => await answer(await open(), version)).toBe('HTTP/1.1 200')
  })

  test('malformed requests are answered with 400 and do not load the routes', async () => {
    const socket = await open()
    expect(await answer(socket, 'SSH-2.0-OpenSSH_9.2\r\n\r\n')).toBe('HTTP/1.1 400')
    await once(socket, 'close')
    expect(loads).toBe(0)
  })

  test('kept alive do not delay closing the server', async () => {
    const idle = await open()
    const asked = await open()
    expect(await answer(asked, version)).toBe('HTTP/1.1 200')
    await Promise.all([server.close(), server.close()])
    await server.close()
    for (const socket of [idle, asked]) if (!socket.closed) await once(socket, 'close')
    server = await startOperationsServer({
      ...{ logger, listen: { host: '127.0.0.1', port: 0 }, option: '--listen' },
      operations: plainOperations,
    })
  })
})

test('a port in use is an error that names the option for another one', async () => {
  const { port } = server.address
  const again = startOperationsServer({
    ...{ logger, listen: { host: '127.0.0.1', port }, option: '--listen' },
    operations: plainOperations,
  })
  await expect(again).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: `cannot listen on 127.0.0.1:${port}: port ${port} is in use by another program: stop that program, or choose another port with --listen`,
  })
})

test('a stalled body times out, also on a server that uses the sockets of another', async () => {
  const app = guardedServer({ logger, requestTimeoutMs: 20 })
  app.post('/echo', ({ body }) => ({ body }))
  await app.ready()
  load = async () => app.routing
  const { host, port } = server.address
  const socket = connect(port, host)
  const head = 'POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n'
  socket.write(`${head}content-length: 10\r\n\r\n"half`)
  const [answer] = await once(socket, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1.1 408 /)
  await once(socket, 'close')
  const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '"x"' }
  expect(await ask('/echo', asked)).toEqual({ status: 200, body: '{"body":"x"}' })
  const foreign = await ask('/echo', {
    ...asked,
    headers: { ...asked.headers, origin: 'http://a.b' },
  })
  expect(foreign.status).toBe(403)
  await app.close()
})

describe('while the routes are loaded', () => {
  let finish: (routes: RequestListener | Error) => void
  beforeEach(() => {
    load = () =>
      new Promise((resolve, reject) => {
        finish = (routes) => (routes instanceof Error ? reject(routes) : resolve(routes))
      })
  })

  test('requests wait with their bodies, and the routes are loaded once', async () => {
    const body = 'x'.repeat(1_000_000)
    const asked = Array.from({ length: 20 }, (_, at) => ask(`/${at}`, { method: 'PUT', body }))
    await expect.poll(() => loads).toBe(1)
    expect(await ask('/healthy')).toMatchObject({ status: 200 })
    finish(echo)
    for (const [at, answer] of (await Promise.all(asked)).entries()) {
      expect(answer).toEqual({ status: 200, body: `PUT /${at} ${body}` })
    }
    expect(await ask('/later')).toEqual({ status: 200, body: 'GET /later ' })
    expect(loads).toBe(1)
  })

  test('a client that disconnects is not answered', async () => {
    const leaving = request(`${server.url}/leaving`)
    leaving.on('error', () => {})
    leaving.end()
    await expect.poll(() => loads).toBe(1)
    leaving.destroy()
    await new Promise((resolve) => leaving.once('close', resolve))
    // By the time these requests are answered, the server has noticed the closed connection.
    for (let at = 0; at < 5; at++) await ask('/healthy', { headers: { connection: 'close' } })
    const answered: (string | undefined)[] = []
    finish((incoming, response) => {
      answered.push(incoming.url)
      response.end()
    })
    await ask('/staying')
    expect(answered).toEqual(['/staying'])
  })

  test('a failure is answered and logged, and the next request loads again', async () => {
    const asked = ask('/', { method: 'POST', body: 'x'.repeat(100_000) })
    await expect.poll(() => loads).toBe(1)
    finish(new Error('a file of the package is missing'))
    const { status, body } = await asked
    expect(status).toBe(500)
    expect(JSON.parse(body)).toEqual({
      error: 'INTERNAL',
      message: 'internal error; see the log of the program',
    })
    expect(logger.lines).toMatchObject([
      { level: 'error', message: 'failed to load the routes of an HTTP server' },
    ])
    const again = ask('/')
    await expect.poll(() => loads).toBe(2)
    finish(echo)
    expect(await again).toMatchObject({ status: 200 })
    await turns(1)
  })
})
