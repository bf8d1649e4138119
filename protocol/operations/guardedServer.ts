// The HTTP server that every program starts from. There is no authentication yet, so it answers
// only this machine unless configured otherwise, and no page of another site; bodies, connections
// and the time of a request are bounded. All errors have one body: `error`, a code, and `message`.

import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyServerOptions,
  fastify,
} from 'fastify'
import { isLoopback, isLoopbackHostHeader, isOwnOrigin } from '../runtime/network/loopback.ts'
import type { Address } from '../runtime/network/network.ts'
import { type Clock, systemClock } from '../runtime/time/clock.ts'
import type { Logger } from '../telemetry/logging/logger.ts'
import { limitBodyTime } from './bodyTimeout.ts'
import { HttpRefusal } from './httpRefusal.ts'
import {
  type Bound,
  bareHost,
  boundTo,
  listenError,
  mostConnections,
  usualRequestTimeoutMs,
} from './listening.ts'

export interface GuardedServerOptions {
  readonly logger: Logger
  /** Accepts requests from other hosts, under any host name. */
  readonly isOpen?: boolean | undefined
  /** Returns the HTTP status for an error of the program's own routes. */
  readonly statusOf?: ((error: Error) => number | undefined) | undefined
  /** Additional fastify options. */
  readonly settings?: FastifyServerOptions | undefined
  readonly clock?: Clock | undefined
  /** Timeout for a request to arrive completely. Default: 30 s. */
  readonly requestTimeoutMs?: number | undefined
}

/** Default limit of a body; routes may raise it. */
const mostBodyBytes = 64 * 1024
const longestShown = 200

export function guardedServer(options: GuardedServerOptions): FastifyInstance {
  const { logger, isOpen = false, statusOf, settings, clock = systemClock } = options
  const { requestTimeoutMs = usualRequestTimeoutMs } = options
  const server = fastify({
    // An open keep-alive connection must not delay the end of the process.
    forceCloseConnections: true,
    bodyLimit: mostBodyBytes,
    routerOptions: { ignoreTrailingSlash: true },
    ...settings,
  })
  server.server.maxConnections = mostConnections
  server.server.headersTimeout = requestTimeoutMs
  // JSON only: pages of other sites cannot send it without a preflight request.
  server.removeContentTypeParser('text/plain')
  server.addHook('onRequest', async ({ headers: { host, origin } }, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    if (!isOpen && !isLoopbackHostHeader(host)) {
      throw new HttpRefusal(
        'HOST_REFUSED',
        'this address accepts requests from its own machine only',
      )
    }
    if (!isOwnOrigin(origin, host)) {
      throw new HttpRefusal('ORIGIN_REFUSED', 'requests from pages of other sites are refused')
    }
  })
  limitBodyTime(server, clock, requestTimeoutMs)
  server.setErrorHandler((error: Error, _request, reply) => refuse(error, reply, logger, statusOf))
  server.setNotFoundHandler(({ method, url }) => {
    throw new HttpRefusal('NOT_FOUND', `${method} ${url.slice(0, longestShown)} does not exist`)
  })
  return server
}

/** Fastify's own errors have a status below 500 if the request is at fault. */
function refuse(
  error: Error,
  reply: FastifyReply,
  logger: Logger,
  statusOf: GuardedServerOptions['statusOf'],
): FastifyReply {
  const { statusCode, code, message } = error as Error & { statusCode?: number; code?: unknown }
  const known = error instanceof HttpRefusal ? error.status : statusOf?.(error)
  if (known !== undefined) return reply.code(known).send({ error: code, message })
  if (statusCode === 415) {
    return reply.code(415).send({ error: 'REQUEST_INVALID', message: 'send application/json' })
  }
  if (statusCode !== undefined && statusCode < 500) {
    return reply.code(statusCode).send({ error: 'REQUEST_INVALID', message })
  }
  logger.error({ error }, 'failed to answer an HTTP request')
  const reason = 'internal error; see the log of the program'
  return reply.code(500).send({ error: 'INTERNAL', message: reason })
}

/**
 * Starts listening; port 0 takes a free one. Fails with a ListenError, whose message names `option`
 * as the way to choose another address.
 */
export async function listenOn(
  server: FastifyInstance,
  { host, port }: Address,
  option: string,
): Promise<Bound> {
  try {
    await server.listen({ host: bareHost(host), port })
  } catch (error) {
    await server.close()
    throw listenError({ host, port }, option, error as NodeJS.ErrnoException)
  }
  return boundTo(server.server, host)
}

/** Whether a request comes from this machine; some operations are restricted to it. */
export function isFromLoopback(remoteAddress: string | undefined): boolean {
  return remoteAddress !== undefined && isLoopback(remoteAddress.replace(/^::ffff:/i, ''))
}
