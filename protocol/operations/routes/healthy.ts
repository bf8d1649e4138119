// `GET /healthy`: 200 while the program is healthy or will recover by itself, 503 with reasons if a
// restart or an operator is needed. Warnings do not change the status.

import type { FastifyInstance } from 'fastify'
import type { OperationsOptions } from '../operationsOptions.ts'

export function serveHealthy(server: FastifyInstance, { health }: OperationsOptions): void {
  server.get('/healthy', (_request, reply) => {
    const reasons = health.unhealthy()
    reply.code(reasons.length === 0 ? 200 : 503)
    return { healthy: reasons.length === 0, reasons, warnings: health.warnings?.() ?? [] }
  })
}
