// The address of a job: its answers, and the requests that it refuses.

import { request } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type JobServer, startJobServer } from '../../../engine/address/jobServer.ts'
import { type ServedJob, servedHere } from '../../../engine/address/servedJob.ts'
import { EngineError } from '../../../engine/engineError.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { plainOperations as operations } from '../../protocol/operations/plainOperations.ts'
import { FakeJob } from '../fakeJob.ts'

const listen = { host: '127.0.0.1', port: 0 }
let job: FakeJob
let served: ServedJob | undefined
let server: JobServer

beforeEach(async () => {
  job = new FakeJob()
  served = servedHere(job)
  server = await startJobServer({ logger: silentLogger, listen, operations, job: () => served })
})

afterEach(() => server.close())

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = body === undefined ? undefined : JSON.stringify(body)
    const type = sent === undefined ? {} : { 'content-type': 'application/json' }
    const options = { method, headers: { ...type, ...headers }, agent: false } as const
    const asked = request(new URL(path, server.url), options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const parsed = JSON.parse(Buffer.concat(chunks).toString())
        resolve({ status: response.statusCode!, body: parsed })
      })
    })
    asked.on('error', reject)
    asked.end(sent)
  })
}

test('returns the status, the progress of the running batch, and the list of states', async () => {
  expect(await ask('GET', '/job')).toMatchObject({
    status: 200,
    body: { id: 'job/words/01234567', lagRecords: 3, progress: { batchId: 17 } },
  })
  expect(await ask('GET', '/job/progress')).toEqual({
    status: 200,
    body: { progress: { text: 'batch 17 for 60 s', batchId: 17, sinceMs: 1 }, tasks: [] },
  })
  expect(await ask('GET', '/job/state')).toMatchObject({
    status: 200,
    body: {
      directory: '/jobs/words',
      operators: [{ uid: 'counts', kind: 'updateStateByKey', codec: 'v8', partitions: 2 }],
    },
  })
})

test('values of keys name their batch; a key without a value is not found', async () => {
  job.queryState = async (request) => {
    job.requests.push(request)
    const entries = request.keys!.map((key) => ({ key, value: key === 5 ? 7n : undefined }))
    return { batchId: 12, entries }
  }
  const path = '/job/state/counts?key=number:5&key=alice&key=json:null&key=string:number:5'
  expect(await ask('GET', path)).toEqual({
    status: 200,
    body: {
      operator: 'counts',
      batchId: 12,
      entries: [
        { key: 5, found: true, value: { $bigint: '7' } },
        { key: 'alice', found: false },
        { key: null, found: false },
        { key: 'number:5', found: false },
      ],
    },
  })
  expect(job.requests).toEqual([
    { operator: 'counts', keys: [5, 'alice', null, 'number:5'], limit: 4 },
  ])
})

test('a list has a limit and a position to continue at', async () => {
  job.queryState = async (request) => {
    job.requests.push(request)
    return { batchId: 12, entries: [{ key: 'a', value: 1 }], after: 'page 2' }
  }
  expect(await ask('GET', '/job/state/counts')).toMatchObject({ body: { after: 'page 2' } })
  await ask('GET', '/job/state/counts?limit=1&after=page%202')
  expect(job.requests).toEqual([
    { operator: 'counts', limit: 100, after: undefined },
    { operator: 'counts', limit: 1, after: 'page 2' },
  ])
})

test.each([
  ['GET', '/job/state/nothing', 404, 'NOT_FOUND', /no stateful operator.*it has: counts/],
  ['GET', '/jobs', 404, 'NOT_FOUND', /GET \/jobs/],
  ['GET', '/job/state/counts', 501, 'NOT_SUPPORTED', /cannot report its state/],
  ['GET', '/job/state/counts?limit=0', 400, 'REQUEST_INVALID', /1 to 1000/],
  ['GET', '/job/state/counts?limit=1&key=a', 400, 'REQUEST_INVALID', /either keys, or/],
  [
    'GET',
    '/job/state/counts?key=number:x',
    400,
    'REQUEST_INVALID',
    /'number:x' is not a valid key/,
  ],
  ['GET', '/job/state/counts?key=json:%7B%7D', 400, 'REQUEST_INVALID', /is not a valid key/],
  ['GET', `/job/state/counts?${'key=a&'.repeat(101)}`, 400, 'REQUEST_INVALID', /100 keys/],
  ['POST', '/job/savepoint', 400, 'REQUEST_INVALID', /absolute path/],
] as const)('%s %s: %i %s', async (method, path, status, error, message) => {
  const answer = await ask(method, path, method === 'POST' ? { target: 'relative' } : undefined)
  expect(answer).toEqual({ status, body: { error, message: expect.stringMatching(message) } })
})

test('an error of the engine is returned, and a bug is not exposed', async () => {
  job.queryState = () => Promise.reject(new EngineError('EXECUTOR_FAILED', 'executor 1 is lost'))
  expect(await ask('GET', '/job/state/counts')).toEqual({
    status: 503,
    body: { error: 'EXECUTOR_FAILED', message: 'executor 1 is lost' },
  })
  job.queryState = () => Promise.reject(new EngineError('STATE_QUERY_FAILED', 'no such page'))
  expect((await ask('GET', '/job/state/counts?after=x')).status).toBe(400)
  job.queryState = () => Promise.reject(new Error('secret'))
  const { status, body } = await ask('GET', '/job/state/counts')
  expect(status).toBe(500)
  expect(JSON.stringify(body)).not.toContain('secret')
})

test('stops and kills only the intended job', async () => {
  const other = await ask('POST', '/job/stop', { id: 'job/words/ffffffff' })
  expect(other).toMatchObject({ status: 409, body: { error: 'OTHER_JOB' } })
  expect(await ask('POST', '/job/stop', { timeoutMs: -1 })).toMatchObject({ status: 400 })
  expect(job.stops).toEqual([])
  const id = 'job/words/01234567'
  expect((await ask('POST', '/job/stop', { id, timeoutMs: 500 })).status).toBe(202)
  expect((await ask('POST', '/job/kill', { id })).status).toBe(202)
  await expect.poll(() => job.stops).toEqual([{ timeoutMs: 500 }, { graceful: false }])
})

test('writes one savepoint at a time', async () => {
  const written = Promise.withResolvers<void>()
  job.savepoint = async (target) => {
    await written.promise
    return { target, batchId: 9 }
  }
  const first = ask('POST', '/job/savepoint', { target: '/save/1' })
  await expect
    .poll(() => ask('POST', '/job/savepoint', { target: '/save/2' }).then(({ status }) => status))
    .toBe(409)
  written.resolve()
  expect(await first).toEqual({ status: 200, body: { target: '/save/1', batchId: 9 } })
})

test('limits the number of requests in flight', async () => {
  const asked = Promise.withResolvers<{ batchId: number; entries: [] }>()
  job.queryState = () => asked.promise
  let refused = 0
  const answers = Array.from({ length: 40 }, async () => {
    const { status, body } = await ask('GET', '/job/state/counts')
    if (body.error === 'TOO_MANY_REQUESTS') refused++
    return status
  })
  await expect.poll(() => refused).toBe(8)
  asked.resolve({ batchId: 0, entries: [] })
  const statuses = await Promise.all(answers)
  expect(statuses.filter((status) => status === 200)).toHaveLength(32)
  expect(statuses.filter((status) => status === 503)).toHaveLength(8)
})

test('foreign host names and pages of other sites are refused', async () => {
  const rebound = await ask('GET', '/job', undefined, { host: 'evil.example' })
  expect(rebound).toMatchObject({ status: 403, body: { error: 'HOST_REFUSED' } })
  const page = { origin: 'https://evil.example' }
  const foreign = await ask('POST', '/job/stop', undefined, page)
  expect(foreign).toMatchObject({ status: 403, body: { error: 'ORIGIN_REFUSED' } })
  const plain = { 'content-type': 'text/plain' }
  expect((await ask('POST', '/job/stop', {}, plain)).status).toBe(415)
  const large = { target: 'x'.repeat(70_000) }
  expect((await ask('POST', '/job/savepoint', large)).status).toBe(413)
  expect(job.stops).toEqual([])
})

test('while a job is being replaced, the address answers that it is not ready', async () => {
  served = undefined
  expect(await ask('GET', '/job')).toMatchObject({ status: 503, body: { error: 'JOB_NOT_READY' } })
})

test('an address that other hosts can reach requires an option, and a port in use is reported', async () => {
  const listen = { host: '0.0.0.0', port: 0 }
  const logger = new MemoryLogger()
  const open = { logger, operations, job: () => served, listen }
  await expect(startJobServer(open)).rejects.toThrow(/no authentication.*--insecure/)
  const insecure = await startJobServer({ ...open, insecure: true })
  await insecure.close()
  expect(logger.messages('warn')).toEqual([
    expect.stringMatching(
      /^the address of the job is reachable from other hosts and has no authentication/,
    ),
  ])
  const port = Number(new URL(server.url).port)
  const taken = { ...open, listen: { host: '127.0.0.1', port } }
  await expect(startJobServer(taken)).rejects.toThrow(/port \d+ is in use/)
})
