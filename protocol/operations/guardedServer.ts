// The HTTP server that every program starts from. There is no login yet, so it answers this machine alone
// unless told otherwise, no page of another site, and only as much as a program can bear: bodies,
// connections and the time of a request are bounded. Whatever goes wrong has one shape, `RefusalBody`.

import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyServerOptions,
  fastify,
} from 'fastify'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { isLoopback, isLoopbackHostHeader, isOwnOrigin } from '../runtime/loopback.ts'
import type { Address } from '../runtime/network.ts'
import type { Logger } from '../telemetry/logger.ts'
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
  /** Other hosts may ask, under whatever name they know this one by. */
  readonly isOpen?: boolean | undefined
  /** Errors of the program's own routes: the status and code that they are answered with. */
  readonly statusOf?: ((error: Error) => number | undefined) | undefined
  /** What a program's routes need beside the usual. */
  readonly settings?: FastifyServerOptions | undefined
  readonly clock?: Clock | undefined
  /** For a whole request to arrive; 30 s unless given. */
  readonly requestTimeoutMs?: number | undefined
}

/** A route that takes more says so itself. */
const mostBodyBytes = 64 * 1024
const longestShown = 200

export function guardedServer(options: GuardedServerOptions): FastifyInstance {
  const { logger, isOpen = false, statusOf, settings, clock = systemClock } = options
  const { requestTimeoutMs = usualRequestTimeoutMs } = options
  const server = fastify({
    // A client that keeps its connection must not keep the process.
    forceCloseConnections: true,
    bodyLimit: mostBodyBytes,
    routerOptions: { ignoreTrailingSlash: true },
    ...settings,
  })
  server.server.maxConnections = mostConnections
  server.server.headersTimeout = requestTimeoutMs
  // Only JSON: a page of another site cannot send that without asking first.
  server.removeContentTypeParser('text/plain')
  server.addHook('onRequest', async ({ headers: { host, origin } }, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    if (!isOpen && !isLoopbackHostHeader(host)) {
      throw new HttpRefusal('HOST_REFUSED', 'this address is served to its own machine only')
    }
    if (!isOwnOrigin(origin, host)) {
      throw new HttpRefusal('ORIGIN_REFUSED', 'pages of other sites are not answered')
    }
  })
  limitBodyTime(server, clock, requestTimeoutMs)
  server.setErrorHandler((error: Error, _request, reply) => refuse(error, reply, logger, statusOf))
  server.setNotFoundHandler(({ method, url }) => {
    throw new HttpRefusal('NOT_FOUND', `there is no ${method} ${url.slice(0, longestShown)}`)
  })
  return server
}

/** Fastify's own errors have a status below 500 when the request is at fault. */
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
  const reason = 'failed to answer; the log of the program says why'
  return reply.code(500).send({ error: 'INTERNAL', message: reason })
}

/**
 * Starts listening; port 0 takes a free one. Fails with a ListenError, which names `option` as what gives
 * another address.
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

/** Whether a request comes from this machine: what only its users may do is done for no other. */
export function isFromLoopback(remoteAddress: string | undefined): boolean {
  return remoteAddress !== undefined && isLoopback(remoteAddress.replace(/^::ffff:/i, ''))
}
