// An HTTP server that listens at once and loads what answers when somebody asks for the first time: a program starts
// without waiting for it, and whoever never asks never pays for it.

import { once } from 'node:events'
import {
  createServer,
  type RequestListener,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Duplex } from 'node:stream'
import type { Address } from '../runtime/network.ts'
import type { Logger } from '../telemetry/logger.ts'
import {
  type Bound,
  bareHost,
  boundTo,
  listenError,
  mostConnections,
  usualRequestTimeoutMs,
} from './listening.ts'

export type { RequestListener } from 'node:http'

/** Resolves with what answers requests: `routing` of a fastify server that is ready is one. */
export type LateRoutes = () => Promise<RequestListener>

/** Answers what is not HTTP, and closes the connection. */
export type MalformedListener = (error: Error & { readonly code: string }, socket: Duplex) => void

export interface LateServerOptions {
  readonly logger: Logger
  /** Port 0 takes a free one. */
  readonly listen: Address
  /** The option of the command line that gives `listen`, for messages. */
  readonly option: string
  /** Node's own answer unless given. */
  readonly onMalformed?: MalformedListener | undefined
}

export interface LateServer extends Bound {
  /** Breaks all connections. Calling it again changes nothing. */
  close(): Promise<void>
}

/** Those of fastify. Bodies have a limit of their own: bodyTimeout.ts. */
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
 * Calls `load` at the first request, and answers with what it resolves with; requests that arrive meanwhile wait for
 * it. After a failure it is called again at the next request.
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

/** In the shape of all refusals of a guarded server. */
function refuse(response: ServerResponse): void {
  const message = 'failed to answer; the log of the program says why'
  const body = JSON.stringify({ error: 'INTERNAL', message })
  response.writeHead(500, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    // The body of the request was not read.
    connection: 'close',
  })
  response.end(body)
}
