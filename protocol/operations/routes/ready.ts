// `GET /ready`: 200 while the program can do its work, 503 with reasons while it cannot.

import type { FastifyInstance } from 'fastify'
import type { OperationsOptions } from '../operationsOptions.ts'

export function serveReady(server: FastifyInstance, { health }: OperationsOptions): void {
  server.get('/ready', (_request, reply) => {
    const reasons = [...health.unhealthy(), ...health.notReady()]
    reply.code(reasons.length === 0 ? 200 : 503)
    return { ready: reasons.length === 0, reasons }
  })
}
