// `GET /metrics`: everything that the program counts, in Prometheus' text format.

import type { FastifyInstance } from 'fastify'
import type { OperationsOptions } from '../operations.ts'

export function serveMetrics(server: FastifyInstance, { metrics }: OperationsOptions): void {
  server.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.expose()),
  )
}
