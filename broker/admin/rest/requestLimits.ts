// Limits per client: requests in a time window, with lower limits for changes and for requests that
// read records. Limits for all clients: concurrent scans and tails. Without them, a script in a
// loop would keep the broker busy for everyone.

import rateLimit from '@fastify/rate-limit'
import type { onRequestAsyncHookHandler, RouteOptions } from 'fastify'
import type { AdminServer } from './adminRoute.ts'
import { isRead } from './readMethod.ts'
import { RestError } from './restError.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route reads records of topics, the most expensive operation for brokers. */
    scan?: boolean
    /** The route produces records: changes, but expected in large numbers. */
    records?: boolean
    /** The response lasts until the client closes it. */
    endless?: boolean
  }
}

export interface RequestLimits {
  readonly windowMs: number
  /** Most requests of one client per window. */
  readonly reads: number
  readonly changes: number
  readonly scans: number
  /** Requests that produce; each may carry a stream of records. */
  readonly records: number
  /** Most concurrent scans of all clients. */
  readonly scansAtOnce: number
  /** Most concurrent tails of all clients. */
  readonly tailsAtOnce: number
  /** Bytes of records that are read from requests and not yet stored, over all requests. */
  readonly recordBytes: number
  /** Idle timeout of a record stream, in either direction. */
  readonly streamIdleMs: number
}

export const usualLimits: RequestLimits = {
  windowMs: 10_000,
  reads: 2_000,
  changes: 200,
  scans: 200,
  records: 20_000,
  scansAtOnce: 8,
  tailsAtOnce: 20,
  recordBytes: 64 * 1024 * 1024,
  streamIdleMs: 120_000,
}

type Kind = 'reads' | 'changes' | 'scans' | 'records'

const advice: Record<Kind, string> = {
  reads: 'wait, then send requests less often',
  changes: 'wait, then combine several changes into one request where possible',
  scans: 'wait, then read more records per request',
  records: 'send several records per request, or stream them',
}

const nouns: Record<Kind, string> = {
  reads: 'reads',
  changes: 'changes',
  scans: 'scans',
  records: 'requests with records',
}

/** Applies the limits to every route that is added to the server after this call. */
export async function limitRequests(server: AdminServer, limits: RequestLimits): Promise<void> {
  await server.register(rateLimit, { global: false })
  const limiter = (kind: Kind): onRequestAsyncHookHandler => {
    const limit = server.createRateLimit({ max: limits[kind], timeWindow: limits.windowMs })
    return async (request, reply) => {
      const state = await limit(request)
      if (state.isAllowed) return
      reply.header('x-ratelimit-limit', state.max)
      reply.header('x-ratelimit-remaining', state.remaining)
      reply.header('x-ratelimit-reset', state.ttlInSeconds)
      if (state.isExceeded) throw exceeded(kind, limits, state.ttlInSeconds)
    }
  }
  const limiters: Record<Kind, onRequestAsyncHookHandler> = {
    reads: limiter('reads'),
    changes: limiter('changes'),
    scans: limiter('scans'),
    records: limiter('records'),
  }
  server.addHook('onRoute', (route) => {
    const own = route.onRequest ?? []
    route.onRequest = [limiters[kindOf(route)], ...(Array.isArray(own) ? own : [own])]
  })
}

function kindOf({ method, config }: RouteOptions): Kind {
  if (config?.scan === true) return 'scans'
  if (config?.records === true) return 'records'
  const methods = Array.isArray(method) ? method : [method]
  return methods.every(isRead) ? 'reads' : 'changes'
}

function exceeded(kind: Kind, limits: RequestLimits, retryAfterSeconds: number): RestError {
  const seconds = limits.windowMs / 1000
  return new RestError(
    429,
    'TOO_MANY_REQUESTS',
    `more than ${limits[kind]} ${nouns[kind]} in ${seconds} s from this client`,
    advice[kind],
    undefined,
    Math.max(1, retryAfterSeconds),
  )
}
