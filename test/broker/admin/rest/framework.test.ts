// Behaviour shared by all routes of the REST API, tested with minimal routes.

import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { afterEach, describe, expect, test } from 'vitest'
import type { AdminRoute } from '../../../../broker/admin/rest/adminRoute.ts'
import { Places } from '../../../../broker/admin/rest/places.ts'
import { RestError } from '../../../../broker/admin/rest/restError.ts'
import { ClientError } from '../../../../protocol/client/clientError.ts'
import { ErrorCode, KafkaError } from '../../../../protocol/kafka/errors.ts'
import { NetworkError } from '../../../../protocol/runtime/network/network.ts'
import { RestFixture, type RestFixtureOptions } from './restFixture.ts'

let rest: RestFixture
afterEach(async () => {
  await rest.close()
})

const start = async (routes: readonly AdminRoute[], more: RestFixtureOptions = {}) => {
  rest = await RestFixture.start({
    ...{ routes, bootstrap: [{ host: 'nowhere', port: 1 }] },
    ...more,
  })
}

const names = Type.Object({ names: Type.Array(Type.String()) })

const echo: AdminRoute = (server) => {
  server.get(
    '/api/v1/echo/:id',
    {
      schema: {
        operationId: 'echo',
        params: Type.Object({ id: Type.Integer({ minimum: 0 }) }),
        querystring: Type.Object({
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })),
          isolation: Type.Optional(Type.Enum(['read_committed', 'read_uncommitted'])),
          all: Type.Optional(Type.Boolean()),
          at: Type.Optional(Type.Union([Type.Integer(), Type.Literal('latest')])),
          names: Type.Optional(Type.Array(Type.String())),
        }),
        response: { 200: Type.Object({ id: Type.Integer(), query: Type.Unknown() }) },
      },
    },
    async ({ params, query }) => ({ id: params.id, query }),
  )
}

const create: AdminRoute = (server) => {
  server.post(
    '/api/v1/things',
    {
      schema: {
        operationId: 'createThing',
        body: Type.Object({
          name: Type.String({ minLength: 1 }),
          parts: Type.Optional(Type.Array(Type.Object({ size: Type.Integer() }))),
        }),
        response: { 201: Type.Object({ name: Type.String() }) },
      },
    },
    async (request, reply) => {
      request.changed = { thing: request.body.name }
      return reply.code(201).send({ name: request.body.name })
    },
  )
}

const failing =
  (error: () => unknown): AdminRoute =>
  (server) => {
    server.get('/api/v1/fail', { schema: { response: { 200: names } } }, async () => {
      throw error()
    })
  }

describe('requests', () => {
  test('numbers, booleans and lists are read from text', async () => {
    await start([echo])
    const url = '/api/v1/echo/7?limit=3&all=true&at=12&names=a&names=b'
    expect((await rest.get(url)).body).toEqual({
      id: 7,
      query: { limit: 3, all: true, at: 12, names: ['a', 'b'] },
    })
    const one = await rest.get('/api/v1/echo/7?names=a&at=latest&all=false')
    expect(one.body).toEqual({ id: 7, query: { names: ['a'], at: 'latest', all: false } })
  })

  test.each([
    ['limit=3.5', 'query/limit must be integer'],
    ['limit=', 'query/limit must be integer'],
    ['limit=abc', 'query/limit must be integer'],
    ['limit=011', 'query/limit must be integer'],
    ['limit=11', 'query/limit must be <= 10'],
    ['limit=1&limit=2', 'query/limit must be integer'],
    ['all=yes', 'query/all must be boolean'],
    ['isolation=committed', 'query/isolation must be one of read_committed, read_uncommitted'],
    ['limt=3', 'query has no property limt: did you mean limit?'],
    ['nothing=3', 'query has no property nothing'],
  ])('the query %s is refused', async (query, message) => {
    await start([echo])
    const refused = await rest.refused({ url: `/api/v1/echo/7?${query}` })
    expect(refused).toMatchObject({ status: 400, message })
  })

  test('a path that does not match its schema is refused', async () => {
    await start([echo])
    const refused = await rest.refused({ url: '/api/v1/echo/-1' })
    expect(refused).toMatchObject({ status: 400, message: 'path/id must be >= 0' })
  })

  test.each([
    [{ nmae: 'x' }, 'body has no property nmae: did you mean name?'],
    [{}, 'body must have required properties name'],
    [{ name: 5 }, 'body/name must be string'],
    [{ name: 'x', parts: [{ size: '5' }] }, 'body/parts/0/size must be integer'],
    [
      { name: 'x', parts: [{ size: 5, sizes: 1 }] },
      'body/parts/0 has no property sizes: did you mean size?',
    ],
    [[], 'body must be object'],
    [undefined, 'body must be object'],
  ])('the body %j is refused', async (payload, message) => {
    await start([create])
    const request = { method: 'POST', url: '/api/v1/things' } as const
    const refused = await rest.refused(payload === undefined ? request : { ...request, payload })
    expect(refused).toMatchObject({ status: 400, message })
  })

  test('a body on a route without a body is refused', async () => {
    await start([
      (server) => {
        server.delete(
          '/api/v1/things',
          { schema: { response: { 204: Type.Null() } } },
          async (_, reply) => reply.code(204).send(null),
        )
      },
    ])
    const request = { method: 'DELETE', url: '/api/v1/things' } as const
    expect(await rest.refused({ ...request, payload: {} })).toMatchObject({
      code: 'UNEXPECTED_BODY',
    })
    const named = { ...request, headers: { 'content-type': 'application/json' } }
    expect((await rest.ask(named)).status).toBe(204)
  })

  test.each([
    ['not JSON', 'application/json', '{"name":', 400],
    ['a prototype', 'application/json', '{"__proto__":{"x":1},"name":"x"}', 400],
    ['text', 'text/plain', '{"name":"x"}', 415],
    ['a form', 'application/x-www-form-urlencoded', 'name=x', 415],
    ['a file', 'multipart/form-data; boundary=x', '--x--', 415],
    ['no type', undefined, '{"name":"x"}', 415],
  ])('a body that is %s is refused', async (_, type, payload, status) => {
    await start([create])
    const headers = type === undefined ? {} : { 'content-type': type }
    const request = { method: 'POST', url: '/api/v1/things', headers, payload } as const
    expect((await rest.refused(request)).status).toBe(status)
  })

  test('a body that is too large is refused', async () => {
    await start([create])
    const payload = { name: 'x'.repeat(1024 * 1024) }
    const refused = await rest.refused({ method: 'POST', url: '/api/v1/things', payload })
    expect(refused).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' })
  })
})

describe('paths and methods', () => {
  test('an error for an unknown path suggests the nearest one', async () => {
    await start([create])
    expect(await rest.refused({ url: '/api/v1/thinks' })).toEqual({
      status: 404,
      code: 'UNKNOWN_PATH',
      message: '/api/v1/thinks does not exist: did you mean /api/v1/things?',
    })
    expect((await rest.refused({ url: '/v3/clusters' })).status).toBe(404)
  })

  test('an unsupported method is refused with the supported ones', async () => {
    await start([echo, create])
    const put = await rest.ask({ method: 'PUT', url: '/api/v1/things' })
    expect(put).toMatchObject({
      status: 405,
      headers: { allow: 'OPTIONS, POST' },
      body: { code: 'METHOD_NOT_ALLOWED' },
    })
    const options = await rest.ask({ method: 'OPTIONS', url: '/api/v1/echo/1' })
    expect(options).toMatchObject({ status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } })
    expect(Object.keys(options.headers).filter((name) => name.includes('control-allow'))).toEqual(
      [],
    )
  })

  test('HEAD is GET without a body, and a slash at the end changes nothing', async () => {
    await start([echo])
    const head = await rest.ask({ method: 'HEAD', url: '/api/v1/echo/7/' })
    const get = await rest.get('/api/v1/echo/7')
    expect(head.status).toBe(200)
    expect(head.text).toBe('')
    expect(head.headers['content-length']).toBe(get.headers['content-length'])
  })

  test('a path that cannot be decoded is refused', async () => {
    await start([echo])
    const { status, body } = await rest.get('/api/v1/echo/%zz')
    expect(status).toBe(400)
    expect(body).toMatchObject({ error_code: 400, code: 'MALFORMED_REQUEST' })
  })
})

describe('failures', () => {
  test.each<[string, () => unknown, number, string, number?]>([
    [
      'an unknown topic',
      () => new KafkaError(ErrorCode.unknownTopicOrPartition, 'orders'),
      40403,
      'UNKNOWN_TOPIC_OR_PARTITION',
    ],
    [
      'a topic that exists',
      () => new KafkaError(ErrorCode.topicAlreadyExists),
      40002,
      'TOPIC_ALREADY_EXISTS',
    ],
    ['a group with members', () => new KafkaError(ErrorCode.nonEmptyGroup), 409, 'NON_EMPTY_GROUP'],
    [
      'an ACL',
      () => new KafkaError(ErrorCode.topicAuthorizationFailed),
      40301,
      'TOPIC_AUTHORIZATION_FAILED',
    ],
    [
      'no leader',
      () => new KafkaError(ErrorCode.leaderNotAvailable),
      50301,
      'LEADER_NOT_AVAILABLE',
      1,
    ],
    [
      'a failed disk',
      () => new KafkaError(ErrorCode.kafkaStorageError),
      50302,
      'KAFKA_STORAGE_ERROR',
    ],
    ['a timeout', () => new KafkaError(ErrorCode.requestTimedOut), 504, 'REQUEST_TIMED_OUT'],
    ['an old broker', () => new ClientError('NO_COMMON_VERSION', 'x'), 40002, 'NO_COMMON_VERSION'],
    [
      'a cluster that is away',
      () => new NetworkError('CONNECTION_REFUSED', 'no broker'),
      503,
      'CLUSTER_UNREACHABLE',
      1,
    ],
    ['one of ours', () => new RestError(40900, 'X', 'x', 'do x'), 40900, 'X'],
  ])('%s has its code', async (_, error, errorCode, code, retryAfter) => {
    await start([failing(error)])
    const { body, headers } = await rest.get('/api/v1/fail')
    expect(body).toMatchObject({ error_code: errorCode, code })
    expect(headers['retry-after']).toBe(retryAfter === undefined ? undefined : String(retryAfter))
    expect(rest.takeErrors()).toEqual([])
  })

  test('an unexpected failure is logged with the request id, and reveals nothing to the client', async () => {
    await start([failing(() => new TypeError('cannot read secret'))])
    const answer = await rest.get('/api/v1/fail', { 'x-request-id': 'mine-1' })
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('secret')
    expect(answer.body).toMatchObject({ code: 'INTERNAL', request_id: 'mine-1' })
    expect(rest.takeErrors()).toMatchObject([
      { fields: { requestId: 'mine-1', error: { message: 'cannot read secret' } } },
    ])
  })

  test.each<[string, unknown]>([
    ['a property of another type', { names: [1] }],
    ['a missing property', {}],
    ['a property that the schema does not name', { names: [], more: 1 }],
    ['nothing', undefined],
    ['null', null],
  ])('a response with %s is never sent', async (_, answer) => {
    await start([
      (server) => {
        const schema = { response: { 200: names } }
        server.get('/api/v1/wrong', { schema }, async (_request, reply) =>
          reply.send(answer as { names: string[] }),
        )
      },
    ])
    const { status, body } = await rest.get('/api/v1/wrong')
    expect(status).toBe(500)
    expect(body).toMatchObject({ code: 'INTERNAL' })
    expect(rest.takeErrors()).toHaveLength(1)
  })

  test('a response with an undocumented status is never sent', async () => {
    await start([
      (server) => {
        server.get('/api/v1/wrong', { schema: { response: { 200: names } } }, async (_, reply) =>
          (reply as unknown as FastifyReply).code(202).send({ names: [] }),
        )
      },
    ])
    expect((await rest.get('/api/v1/wrong')).status).toBe(500)
    expect(rest.takeErrors()).toHaveLength(1)
  })

  test('a request that takes too long is answered with 504', async () => {
    const never: AdminRoute = (server) => {
      const schema = { response: { 200: names } }
      server.get('/api/v1/never', { schema }, () => new Promise<{ names: string[] }>(() => {}))
    }
    await start([never], { timeoutMs: 20 })
    expect(await rest.refused({ url: '/api/v1/never' })).toMatchObject({
      status: 504,
      code: 'TIMEOUT',
    })
  })
})

describe('request ids', () => {
  test('an id that is safe to log is kept, any other is replaced', async () => {
    await start([echo])
    const id = async (sent?: string) => {
      const headers = sent === undefined ? {} : { 'x-request-id': sent }
      return (await rest.get('/api/v1/echo/1', headers)).headers['x-request-id']
    }
    expect(await id('4bf92f35-77b3:1')).toBe('4bf92f35-77b3:1')
    const made = /^[0-9a-f]{16}$/
    for (const unfit of [undefined, '', ' ', 'a b', '"x"', 'x'.repeat(65), '-x']) {
      expect(await id(unfit)).toMatch(made)
    }
    expect(await id()).not.toBe(await id())
  })

  test('changes are logged at info and reads at debug, with request, client and outcome', async () => {
    await start([echo, create])
    const headers = { 'x-request-id': 'r1', 'user-agent': 'curl/8' }
    const url = '/api/v1/things'
    await rest.ask({ method: 'POST', url, headers, payload: { name: 'secret' } })
    await rest.ask({ method: 'POST', url, payload: {} })
    await rest.get('/api/v1/echo/1?limit=2')
    expect(rest.logger.lines).toMatchObject([
      {
        level: 'info',
        message: 'change requested over REST',
        fields: {
          ...{ requestId: 'r1', method: 'POST', path: url, thing: 'secret', status: 201 },
          ...{ from: '127.0.0.1', userAgent: 'curl/8', ms: expect.any(Number) },
        },
      },
      {
        level: 'info',
        message: 'change refused over REST',
        fields: { status: 400, code: 'INVALID_REQUEST' },
      },
      { level: 'debug', fields: { method: 'GET', path: '/api/v1/echo/1?limit=2', status: 200 } },
    ])
  })
})

describe('pages of other sites', () => {
  const host = 'localhost:8080'
  const own = `http://${host}`

  test.each<[string, Record<string, string>, number]>([
    ['no browser', {}, 201],
    ['the own page', { origin: own, 'sec-fetch-site': 'same-origin' }, 201],
    ['another site', { origin: 'https://evil.example' }, 403],
    ['another port of this machine', { origin: 'http://localhost:3000' }, 403],
    ['a sandboxed page', { origin: 'null' }, 403],
    ['a form', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 403],
  ])('a change for %s', async (_, headers, status) => {
    await start([create])
    const request = {
      ...{ method: 'POST', url: '/api/v1/things' },
      headers: { host, ...headers },
    } as const
    const answer = await rest.ask({ ...request, payload: { name: 'x' } })
    expect(answer.status).toBe(status)
    expect(Object.keys(answer.headers).filter((name) => /^access-control/.test(name))).toEqual([])
  })

  test('an image on a page of another site is refused, a link is not', async () => {
    await start([echo])
    const url = '/api/v1/echo/1'
    const image = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }
    expect(await rest.refused({ url, headers: image })).toMatchObject({ code: 'ORIGIN_REFUSED' })
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    expect((await rest.get(url, link)).status).toBe(200)
  })
})

describe('limits', () => {
  test('apply to reads and changes separately, with the time to wait', async () => {
    await start([echo, create], { limits: { windowMs: 60_000, reads: 3, changes: 1 } })
    const payload = { name: 'x' }
    expect((await rest.post('/api/v1/things', payload)).status).toBe(201)
    const second = await rest.post('/api/v1/things', payload)
    expect(second).toMatchObject({ status: 429, body: { code: 'TOO_MANY_REQUESTS' } })
    expect(Number(second.headers['retry-after'])).toBeGreaterThan(0)
    for (let at = 0; at < 3; at++) expect((await rest.get('/api/v1/echo/1')).status).toBe(200)
    expect((await rest.get('/api/v1/echo/2')).status).toBe(429)
  })

  test('apply to concurrent scans', async () => {
    await start([])
    const places = new Places(2, 'scans')
    const give = places.take()
    places.take()
    expect(() => places.take()).toThrow(/too many scans in progress: the limit is 2/)
    give()
    give()
    expect(places.taken).toBe(1)
    places.take()
  })
})
