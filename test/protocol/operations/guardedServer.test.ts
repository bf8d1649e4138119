// The HTTP server of every program: whose requests it accepts, and its bounds.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  guardedServer,
  isFromLoopback,
  listenOn,
} from '../../../protocol/operations/guardedServer.ts'
import { serveOperations } from '../../../protocol/operations/operations.ts'
import type { LogLevelControl } from '../../../protocol/telemetry/logging/logLevel.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { plainOperations } from './plainOperations.ts'

const host = '127.0.0.1:8080'
let logger: MemoryLogger
let logLevel: LogLevelControl
let server: FastifyInstance
const sockets: Socket[] = []

function serve(isOpen: boolean, requestTimeoutMs?: number): FastifyInstance {
  const made = guardedServer({ logger, isOpen, requestTimeoutMs })
  made.post('/echo', ({ body }) => ({ body }))
  made.get('/fails', () => {
    throw new Error('the password is secret')
  })
  serveOperations(made, { ...plainOperations, logLevel })
  return made
}

beforeEach(() => {
  logger = new MemoryLogger()
  logLevel = { level: 'info' }
  server = serve(false)
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
})

async function ask(options: InjectOptions) {
  const { statusCode, body } = await server.inject({
    ...options,
    headers: { host, ...options.headers },
  })
  return { status: statusCode, body: JSON.parse(body) as Record<string, unknown> }
}

describe('the host name of a request', () => {
  test.each(['localhost', 'LOCALHOST:8080', '127.0.0.1', '127.9.9.9:1', '[::1]:8080'])(
    '%s is accepted as a name of this machine',
    async (name) => {
      expect(await ask({ url: '/healthy', headers: { host: name } })).toMatchObject({ status: 200 })
    },
  )

  test.each([
    'evil.example',
    'evil.example:8080',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '127.0.0.1@evil.example',
    '0.0.0.0:8080',
    '10.0.0.1:8080',
    '[::ffff:10.0.0.1]:8080',
  ])('"%s" is refused by a server for this machine', async (name) => {
    const answer = await ask({ url: '/healthy', headers: { host: name } })
    expect(answer).toMatchObject({ status: 403, body: { error: 'HOST_REFUSED' } })
  })

  test('a server for other hosts accepts any host name', async () => {
    await server.close()
    server = serve(true)
    expect(await ask({ url: '/healthy', headers: { host: 'broker-7' } })).toMatchObject({
      status: 200,
    })
  })
})

describe('the origin of a request', () => {
  test.each(['http://evil.example', 'http://127.0.0.1:9999', 'null', 'file://'])(
    '"%s" is refused, also by a server that accepts any host name',
    async (origin) => {
      const request = { url: '/log-level', headers: { origin } }
      const refused = { status: 403, body: { error: 'ORIGIN_REFUSED' } }
      expect(await ask(request)).toMatchObject(refused)
      await server.close()
      server = serve(true)
      expect(await ask(request)).toMatchObject(refused)
    },
  )

  test("the server's own origin is accepted, and no CORS header is sent", async () => {
    const headers = { host, origin: `http://${host}` }
    const answer = await server.inject({ url: '/log-level', headers })
    expect(answer.statusCode).toBe(200)
    const names = Object.keys(answer.headers)
    expect(names.filter((name) => name.startsWith('access-control-'))).toEqual([])
    const asked = await server.inject({ method: 'OPTIONS', url: '/log-level', headers })
    expect(asked.statusCode).toBe(404)
  })

  // A browser sends these content types for a page of any site without a preflight request.
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    undefined,
  ])('nothing is changed by a body of %s', async (type) => {
    const headers = type === undefined ? {} : { 'content-type': type }
    for (const method of ['PUT', 'POST'] as const) {
      const payload = '{"level":"debug"}'
      const { status } = await ask({ method, url: '/log-level', payload, headers })
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
    }
    expect(logLevel.level).toBe('info')
  })
})

describe('the level of the log', () => {
  const change = { method: 'PUT', url: '/log-level', payload: { level: 'debug' } } as const

  test.each(['127.0.0.1', '127.0.0.5', '::1', '::ffff:127.0.0.1'])(
    'is changed from %s',
    async (remoteAddress) => {
      expect(await ask({ ...change, remoteAddress })).toMatchObject({ status: 200 })
      expect(logLevel.level).toBe('debug')
    },
  )

  test.each(['10.0.0.7', '::ffff:10.0.0.7', 'fe80::1', '2001:db8::1'])(
    'is not changed from %s, even if any host is accepted and the request claims to be local',
    async (remoteAddress) => {
      await server.close()
      server = serve(true)
      const headers = { host: 'localhost', 'x-forwarded-for': '127.0.0.1', forwarded: 'for=::1' }
      const answer = await ask({ ...change, remoteAddress, headers })
      expect(answer).toMatchObject({ status: 403, body: { error: 'NOT_LOCAL' } })
      expect(logLevel.level).toBe('info')
      expect(isFromLoopback(remoteAddress)).toBe(false)
    },
  )

  test('is not changed under another host name (DNS rebinding)', async () => {
    await server.close()
    server = serve(true)
    const headers = { host: 'evil.example:8080', origin: 'http://evil.example:8080' }
    const answer = await ask({ ...change, remoteAddress: '127.0.0.1', headers })
    expect(answer).toMatchObject({ status: 403, body: { error: 'NOT_LOCAL' } })
    expect(logLevel.level).toBe('info')
  })

  test.each([{}, { level: 'loud' }, { level: ['debug'] }, { level: null }, [], 'debug'])(
    'is not %j',
    async (payload) => {
      const headers = { 'content-type': 'application/json' }
      const sent = JSON.stringify(payload)
      const answer = await ask({ ...change, headers, payload: sent })
      expect(answer).toMatchObject({ status: 400, body: { error: 'LOG_LEVEL_INVALID' } })
      expect(answer.body.message).toContain('debug, info, warn, error')
    },
  )
})

describe('bounds', () => {
  test('a body of 64 KiB is accepted, a larger one is refused', async () => {
    const headers = { 'content-type': 'application/json' }
    const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`
    const post = { method: 'POST', url: '/echo', headers } as const
    expect((await ask({ ...post, payload: text(64 * 1024) })).status).toBe(200)
    const large = await ask({ ...post, payload: text(64 * 1024 + 1) })
    expect(large).toMatchObject({ status: 413, body: { error: 'REQUEST_INVALID' } })
  })

  test('connection 257 is closed at once, and is accepted after another one has closed', async () => {
    const { address } = await listenOn(server, { host: '127.0.0.1', port: 0 }, '--listen')
    const open = async () => {
      const socket = connect(address.port, address.host)
      socket.on('error', () => {})
      sockets.push(socket)
      await once(socket, 'connect')
      return socket
    }
    const answer = async (socket: Socket) => {
      socket.write(`GET /version HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
      return await Promise.race([
        once(socket, 'data').then(([chunk]) => String(chunk).slice(0, 12)),
        once(socket, 'close').then(() => 'closed'),
      ])
    }
    const held = await Promise.all(Array.from({ length: 256 }, open))
    expect(await answer(held.at(-1)!)).toBe('HTTP/1.1 200')
    expect(await answer(await open())).toBe('closed')
    held[0]!.destroy()
    await expect.poll(async () => await answer(await open())).toBe('HTTP/1.1 200')
  })

  test('headers and bodies that do not arrive time out', async () => {
    expect(server.server.headersTimeout).toBe(30_000)
    await server.close()
    server = serve(false, 20)
    const { address } = await listenOn(server, { host: '127.0.0.1', port: 0 }, '--listen')
    const socket = connect(address.port, address.host)
    sockets.push(socket)
    socket.write(`POST /echo HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n`)
    socket.write('content-length: 10\r\n\r\n"half')
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 408 /)
    await once(socket, 'close')
  })

  test('a long path is truncated in the error message', async () => {
    const answer = await ask({ url: `/${'x'.repeat(10_000)}` })
    expect(answer).toMatchObject({ status: 404, body: { error: 'NOT_FOUND' } })
    expect(String(answer.body.message).length).toBeLessThan(300)
  })
})

test('an error of a route is logged, and not sent to the client', async () => {
  const answer = await ask({ url: '/fails' })
  expect(answer).toMatchObject({ status: 500, body: { error: 'INTERNAL' } })
  expect(JSON.stringify(answer.body)).not.toContain('secret')
  expect(logger.messages('error')).toEqual(['failed to answer an HTTP request'])
})

test.each([
  ['{', 'not JSON'],
  ['', 'empty'],
  ['{"__proto__": {"level": "debug"}}', 'with a prototype'],
])('the body %s is refused: %s', async (payload) => {
  const headers = { 'content-type': 'application/json' }
  const answer = await ask({ method: 'PUT', url: '/log-level', payload, headers })
  expect(answer).toMatchObject({ status: 400 })
  expect(logLevel.level).toBe('info')
})

test('metrics that are produced as bytes are sent as bytes', async () => {
  const metrics = {
    expose: () => Promise.reject(new Error('not asked')),
    exposeBytes: async () => Buffer.from('millrace_up{name="ä"} 1\n'),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  }
  const made = guardedServer({ logger })
  serveOperations(made, { ...plainOperations, metrics })
  const answer = await made.inject({ url: '/metrics', headers: { host } })
  expect(answer.headers['content-type']).toBe(metrics.contentType)
  expect(answer.body).toBe('millrace_up{name="ä"} 1\n')
  await made.close()
})

describe('an unusable address', () => {
  const failure = async (address: { host: string; port: number }) =>
    await listenOn(guardedServer({ logger }), address, '--listen').then(
      () => undefined,
      (error: unknown) => error,
    )

  test('a port in use: the error says what to do, and with which option', async () => {
    const { address } = await listenOn(server, { host: '127.0.0.1', port: 0 }, '--listen')
    expect(await failure(address)).toMatchObject({
      code: 'PORT_IN_USE',
      message: `cannot listen on 127.0.0.1:${address.port}: port ${address.port} is in use by another program: stop that program, or choose another port with --listen`,
    })
  })

  test('an address of another machine', async () => {
    expect(await failure({ host: '203.0.113.77', port: 0 })).toMatchObject({
      code: 'ADDRESS_UNUSABLE',
      message: expect.stringContaining('the address does not belong to this machine'),
    })
  })
})
