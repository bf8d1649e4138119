// An HTTP server that listens at once and loads its routes at the first request: a program starts
// without waiting for them, and never loads them if nobody asks.

import { once } from 'node:events'
import {
  createServer,
  type RequestListener,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Duplex } from 'node:stream'
import type { Address } from '../runtime/network/network.ts'
import type { Logger } from '../telemetry/logging/logger.ts'
import {
  type Bound,
  bareHost,
  boundTo,
  listenError,
  mostConnections,
  usualRequestTimeoutMs,
} from './listening.ts'

export type { RequestListener } from 'node:http'

/** Resolves with the request handler, for example the `routing` of a ready fastify server. */
export type LateRoutes = () => Promise<RequestListener>

/** Answers malformed requests and closes the connection. */
export type MalformedListener = (error: Error & { readonly code: string }, socket: Duplex) => void

export interface LateServerOptions {
  readonly logger: Logger
  /** Port 0 takes a free one. */
  readonly listen: Address
  /** Name of the command-line option for `listen`, for messages. */
  readonly option: string
  /** Default: Node's own answer. */
  readonly onMalformed?: MalformedListener | undefined
}

export interface LateServer extends Bound {
  /** Closes all connections. A second call has no effect. */
  close(): Promise<void>
}

/** Same as fastify's. Bodies have their own timeout: bodyTimeout.ts. */
const timeouts: ServerOptions = {
  keepAliveTimeout: 72_000,
  headersTimeout: usualRequestTimeoutMs,
  requestTimeout: 0,
}

/** Starts listening. Fails with a ListenError. */
export async function startLateServer(
  { logger, listen, option, onMalformed }: LateServerOptions,
  load: LateRoutes,
): Promise<LateServer> {
  const server = createServer(timeouts, lateRoutes(load, logger))
  server.maxConnections = mostConnections
  if (onMalformed) server.on('clientError', onMalformed)
  server.listen({ host: bareHost(listen.host), port: listen.port })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw listenError(listen, option, error as NodeJS.ErrnoException)
  }
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  let closing: Promise<void> | undefined
  return { ...boundTo(server, listen.host), close: () => (closing ??= close()) }
}

/**
 * Calls `load` at the first request; requests wait for it, and its result answers them. After a
 * failure, the next request calls it again.
 */
export function lateRoutes(load: LateRoutes, logger: Logger): RequestListener {
  let loading: Promise<RequestListener> | undefined
  let loaded: RequestListener | undefined
  return async (request, response) => {
    if (loaded === undefined) {
      try {
        loading ??= load()
        loaded = await loading
      } catch (error) {
        loading = undefined
        logger.error({ error, url: request.url }, 'failed to load the routes of an HTTP server')
        refuse(response)
        return
      }
      if (response.destroyed) return
    }
    loaded(request, response)
  }
}

/** Same body as the refusals of a guarded server. */
function refuse(response: ServerResponse): void {
  const message = 'internal error; see the log of the program'
  const body = JSON.stringify({ error: 'INTERNAL', message })
  response.writeHead(500, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    // The body of the request was not read.
    connection: 'close',
  })
  response.end(body)
}
