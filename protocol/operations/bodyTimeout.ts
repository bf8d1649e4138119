// The timeout for the body of a request. Node's own limit (`server.requestTimeout`) applies to all
// requests alike and would cut streamed bodies; this one excludes them.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../runtime/time/clock.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * The route streams the body, for as long as the client wants, and ends stalled streams itself.
     */
    streamsBody?: boolean
  }
}

/** Applies the timeout to all routes that are added after this call. */
export function limitBodyTime(server: FastifyInstance, clock: Clock, timeoutMs: number): void {
  server.addHook('onRequest', async (request, reply) => {
    if (!hasBody(request) || request.routeOptions.config.streamsBody === true) return
    const timer = clock.setTimer(timeoutMs, () => refuse(server, request, reply))
    const done = () => timer.cancel()
    request.raw.once('end', done).once('close', done)
  })
}

function hasBody({ headers }: FastifyRequest): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  return headers['content-length'] !== undefined && headers['content-length'] !== '0'
}

/** Answers like Node does when its own limit expires. */
function refuse(server: FastifyInstance, request: FastifyRequest, reply: FastifyReply): void {
  const { socket } = request.raw
  if (reply.raw.headersSent) {
    socket.destroy()
    return
  }
  const late = Object.assign(new Error('the body took too long to arrive'), {
    code: 'ERR_HTTP_REQUEST_TIMEOUT',
  })
  server.server.emit('clientError', late, socket)
}
