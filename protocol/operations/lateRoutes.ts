// Routes that a server loads when they are first asked for: a program that has many of them, such as those of a
// console, starts without, and those who never ask for one never pay for them.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../telemetry/logger.ts'

/** Resolves with what answers requests: `routing` of a fastify server that is ready is one. */
export type LateRoutes = () => Promise<RequestListener>

/**
 * Everything that `server` has no route for is answered by what `load` resolves with. `load` is called at the first
 * such request, and requests that arrive meanwhile wait for it; after a failure it is called again at the next one.
 */
export function serveLater(server: FastifyInstance, load: LateRoutes, logger: Logger): void {
  let loading: Promise<RequestListener> | undefined
  const later: RequestListener = async (request, response) => {
    let answer: RequestListener
    try {
      loading ??= load()
      answer = await loading
    } catch (error) {
      loading = undefined
      logger.error({ error, url: request.url }, 'failed to load the routes of an HTTP server')
      refuse(response)
      return
    }
    if (!response.destroyed) answer(request, response)
  }
  const [own] = server.server.listeners('request') as [RequestListener]
  server.server.removeAllListeners('request')
  server.server.on('request', (request, response) => {
    if (isServed(server, request)) own(request, response)
    else later(request, response)
  })
}

function isServed(server: FastifyInstance, { method, url = '' }: IncomingMessage): boolean {
  const path = url.split('?', 1)[0]!.replace(/(?<=.)\/$/, '')
  return server.hasRoute({ method: method as 'GET', url: path })
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
