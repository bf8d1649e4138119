// The time that the body of a request may take to arrive. Node's own limit (`server.requestTimeout`) is of all
// requests alike and cuts bodies that are streams; this one leaves those to their routes.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../runtime/clock.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body lasts as long as its client likes, and the route itself ends one that stalls. */
    streamsBody?: boolean
  }
}

/** Bounds the bodies of all routes that are added from now on. */
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

/** As Node does when its own limit is passed. */
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
