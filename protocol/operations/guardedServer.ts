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
import { isLoopback, isLoopbackHostHeader, isOwnOrigin, urlHost } from '../runtime/loopback.ts'
import type { Address } from '../runtime/network.ts'
import type { Logger } from '../telemetry/logger.ts'
import { limitBodyTime } from './bodyTimeout.ts'
import { HttpRefusal } from './httpRefusal.ts'

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

const mostConnections = 256
/** A route that takes more says so itself. */
const mostBodyBytes = 64 * 1024
const usualRequestTimeoutMs = 30_000
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

export type ListenErrorCode = 'PORT_IN_USE' | 'ADDRESS_UNUSABLE'

/** An address that cannot be listened on. */
export class ListenError extends Error {
  readonly code: ListenErrorCode
  constructor(code: ListenErrorCode, message: string, cause: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** Where a server really listens. */
export interface Bound {
  readonly address: Address
  /** `http://127.0.0.1:41234` */
  readonly url: string
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
    await server.listen({ host: host.replace(/^\[(.*)\]$/, '$1'), port })
  } catch (error) {
    await server.close()
    throw listenError({ host, port }, option, error as NodeJS.ErrnoException)
  }
  const bound = server.server.address()
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port
  return { address: { host, port: boundPort }, url: `http://${urlHost(host)}:${boundPort}` }
}

function listenError(address: Address, option: string, error: NodeJS.ErrnoException): ListenError {
  const where = `cannot listen on ${urlHost(address.host)}:${address.port}`
  if (error.code === 'EADDRINUSE') {
    const what = `port ${address.port} is in use by another program`
    const todo = `stop that one, or choose another with ${option}`
    return new ListenError('PORT_IN_USE', `${where}: ${what}: ${todo}`, error)
  }
  const reason = reasons[error.code ?? ''] ?? error.message
  const message = `${where}: ${reason}; choose another address with ${option}`
  return new ListenError('ADDRESS_UNUSABLE', message, error)
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'this user may not listen on the port',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'the name has no address',
}

/** Whether a request comes from this machine: what only its users may do is done for no other. */
export function isFromLoopback(remoteAddress: string | undefined): boolean {
  return remoteAddress !== undefined && isLoopback(remoteAddress.replace(/^::ffff:/i, ''))
}
