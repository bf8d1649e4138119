// How much one client may ask for: requests in a window of time, fewer of those that change something and of
// those that read records; and how many of the latter run at once, whoever asks. Without bounds a script in a
// loop would keep the broker busy for everyone.

import rateLimit from '@fastify/rate-limit'
import type { onRequestAsyncHookHandler, RouteOptions } from 'fastify'
import type { AdminServer } from './adminRoute.ts'
import { isRead } from './requestLog.ts'
import { RestError } from './restError.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route reads records of topics, which costs the brokers more than anything else. */
    scan?: boolean
    /** The route produces records: a change, but one of very many. */
    records?: boolean
    /** The answer ends when the client wants no more. */
    endless?: boolean
  }
}

export interface RequestLimits {
  readonly windowMs: number
  /** Most requests of one client in a window. */
  readonly reads: number
  readonly changes: number
  readonly scans: number
  /** Requests that produce; each may bring a stream of records. */
  readonly records: number
  /** Most scans at once, of all clients. */
  readonly scansAtOnce: number
  /** Most clients at once that follow what is written. */
  readonly tailsAtOnce: number
  /** Of records that are read from requests and not stored yet, of all requests together. */
  readonly recordBytes: number
  /** Of a stream of records, without a byte in either direction. */
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
  reads: 'wait, then ask less often',
  changes: 'wait, then change several things with one request where that is possible',
  scans: 'wait, then read more records with one request',
  records: 'send several records with one request, or stream them',
}

const nouns: Record<Kind, string> = {
  reads: 'reads',
  changes: 'changes',
  scans: 'scans',
  records: 'requests with records',
}

/** Bounds every route that is added to the server from now on. */
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

/** Places for what runs at once; more is refused and not queued, for whoever waits asks again anyway. */
export class Places {
  readonly #most: number
  readonly #what: string
  #taken = 0

  constructor(most: number, what: string) {
    this.#most = most
    this.#what = what
  }

  get taken(): number {
    return this.#taken
  }

  /** Takes a place, and returns what gives it back; fails as 429 when none is free. */
  take(): () => void {
    if (this.#taken >= this.#most) throw full(this.#most, this.#what)
    this.#taken++
    let isHeld = true
    return () => {
      if (isHeld) this.#taken--
      isHeld = false
    }
  }
}

function full(most: number, what: string): RestError {
  return new RestError(
    429,
    'TOO_MANY_AT_ONCE',
    `${most} ${what} are in progress, which is the most at once`,
    'try again when one of them has ended',
    undefined,
    1,
  )
}
