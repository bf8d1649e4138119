// The address of a job: HTTP with JSON, on the loopback interface by default, because it has no
// authentication yet. Serves the job's status and values of its state, and passes on requests to
// stop or save it. It must hold no state of the job, so that the job can run in another thread.

import { isAbsolute } from 'node:path'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { guardedServer, listenOn } from '../../protocol/operations/guardedServer.ts'
import { serveOperations } from '../../protocol/operations/operations.ts'
import type { OperationsOptions } from '../../protocol/operations/operationsOptions.ts'
import { isLoopback } from '../../protocol/runtime/network/loopback.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import { keyForms, parseKey } from './keyText.ts'
import { httpStatus, JobAddressError, type ServedJob } from './servedJob.ts'

export interface JobServerOptions {
  readonly logger: Logger
  /** Port 0 means any free port. */
  readonly listen: Address
  /**
   * Allows an address that other hosts can reach: anyone who reaches it can read the state and stop
   * the job.
   */
  readonly insecure?: boolean | undefined
  /** The running job; undefined while it is being replaced. */
  readonly job: () => ServedJob | undefined
  /** For `/metrics`, `/healthy` and other operational routes. */
  readonly operations: OperationsOptions
}

export interface JobServer {
  /** For example `http://127.0.0.1:41234`. */
  readonly url: string
  close(): Promise<void>
}

/** Maximum keys in one request. */
const mostKeys = 100
const defaultLimit = 100
const mostLimit = 1000
/** Maximum requests in flight to the job. */
const mostInFlight = 32
const longestStopMs = 24 * 60 * 60_000

/** Starts listening. Rejects with JOB_OPTION_INVALID or with a ListenError. */
export async function startJobServer(options: JobServerOptions): Promise<JobServer> {
  const { listen, insecure, logger, operations } = options
  if (!isLoopback(listen.host) && !insecure) throw notLoopback(listen.host)
  const server = guardedServer({ logger, isOpen: insecure, statusOf })
  serveOperations(server, operations)
  const call = bounded(options.job)
  serveReads(server, call)
  serveActions(server, options.job, call)
  const { url } = await listenOn(server, listen, '--listen')
  if (!isLoopback(listen.host)) {
    const message =
      'the address of the job is reachable from other hosts and has no authentication: anyone who reaches it can read the ' +
      'state, stop the job and write savepoints'
    logger.warn({ url }, message)
  }
  return { url, close: () => server.close() }
}

function statusOf(error: Error): number | undefined {
  const isKnown = error instanceof JobAddressError || error instanceof EngineError
  return isKnown ? httpStatus(error) : undefined
}

type Call = ServedJob['call']

/** Passes calls on to the running job, with a limit on those in flight. */
function bounded(job: JobServerOptions['job']): Call {
  let inFlight = 0
  return async (method, argument) => {
    if (inFlight >= mostInFlight) {
      const message = `${inFlight} requests are in flight; try again in a moment`
      throw new JobAddressError('TOO_MANY_REQUESTS', message)
    }
    inFlight++
    try {
      return await theJob(job).call(method, argument)
    } finally {
      inFlight--
    }
  }
}

function theJob(job: JobServerOptions['job']): ServedJob {
  const running = job()
  if (running) return running
  throw new JobAddressError('JOB_NOT_READY', 'the job is starting; try again in a moment')
}

function serveReads(server: FastifyInstance, call: Call): void {
  server.get('/job', () => call('status', undefined))
  server.get('/job/progress', async () => {
    const { progress, running } = await call('status', undefined)
    return { progress: progress ?? null, tasks: running?.tasks ?? [] }
  })
  server.get('/job/state', () => call('describe', undefined))
  server.get('/job/state/:uid', (request: FastifyRequest<{ Params: { uid: string } }>) => {
    const { key, limit, after } = request.query as Record<string, unknown>
    const operator = request.params.uid
    const keys = keysOf(key)
    if (keys !== undefined && (limit !== undefined || after !== undefined)) {
      throw invalid('give either keys, or limit and after')
    }
    const page = { limit: limitOf(limit), after: textOf('after', after) }
    return call('state', { operator, ...(keys ? { keys, limit: keys.length } : page) })
  })
}

function serveActions(server: FastifyInstance, job: JobServerOptions['job'], call: Call): void {
  let isSaving = false
  server.post('/job/stop', (request, reply) => {
    const { timeoutMs } = bodyOf(request)
    const options = timeoutMs === undefined ? {} : { timeoutMs: timeoutOf(timeoutMs) }
    expectedJob(job, request).stop(options)
    return reply.code(202).send({ state: 'stopping' })
  })
  server.post('/job/kill', async (request, reply) => {
    const running = expectedJob(job, request)
    await reply.code(202).send({ state: 'ending' })
    running.kill()
  })
  server.post('/job/savepoint', async (request) => {
    const { target } = bodyOf(request)
    if (typeof target !== 'string' || !isAbsolute(target)) {
      throw invalid('target must be the absolute path of the directory to write')
    }
    expectedJob(job, request)
    if (isSaving) {
      const message = 'a savepoint is already being written; wait for it'
      throw new JobAddressError('SAVEPOINT_RUNNING', message)
    }
    isSaving = true
    try {
      return await call('savepoint', { target })
    } finally {
      isSaving = false
    }
  })
}

/**
 * The port may belong to another job since the caller learned of it; `id` names the intended one.
 */
function expectedJob(job: JobServerOptions['job'], request: FastifyRequest): ServedJob {
  const running = theJob(job)
  const { id } = bodyOf(request)
  if (id === undefined || id === running.id) return running
  throw new JobAddressError('OTHER_JOB', `${running.id} runs at this address`)
}

function bodyOf({ body }: FastifyRequest): Readonly<Record<string, unknown>> {
  if (body === undefined || body === null) return {}
  if (typeof body === 'object' && !Array.isArray(body)) return body as Record<string, unknown>
  throw invalid('the body must be a JSON object')
}

function keysOf(given: unknown): Key[] | undefined {
  if (given === undefined) return undefined
  const texts = (Array.isArray(given) ? given : [given]) as string[]
  if (texts.length > mostKeys) throw invalid(`a request may have at most ${mostKeys} keys`)
  return texts.map((text) => {
    const key = parseKey(text)
    if (key === undefined) throw invalid(`'${text.slice(0, 200)}' is not a valid key: ${keyForms}`)
    return key
  })
}

function limitOf(given: unknown): number {
  if (given === undefined) return defaultLimit
  const limit = Number(given)
  if (Number.isInteger(limit) && limit >= 1 && limit <= mostLimit) return limit
  throw invalid(`limit must be an integer from 1 to ${mostLimit}`)
}

function timeoutOf(given: unknown): number {
  if (Number.isInteger(given) && (given as number) >= 0 && (given as number) <= longestStopMs) {
    return given as number
  }
  throw invalid(`timeoutMs must be an integer from 0 to ${longestStopMs}`)
}

function textOf(name: string, given: unknown): string | undefined {
  if (given === undefined || typeof given === 'string') return given
  throw invalid(`${name} must be given only once`)
}

function invalid(message: string): JobAddressError {
  return new JobAddressError('REQUEST_INVALID', message)
}

function notLoopback(host: string): EngineError {
  return new EngineError(
    'JOB_OPTION_INVALID',
    `the address of a job has no authentication, and anyone who reaches ${host} could read the state and stop the ` +
      'job; use 127.0.0.1, or give --insecure if that is intended',
  )
}
