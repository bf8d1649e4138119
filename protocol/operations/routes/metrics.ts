// `GET /metrics`: all metrics of the program in Prometheus' text format.

import type { FastifyInstance } from 'fastify'
import type { OperationsOptions } from '../operationsOptions.ts'

export function serveMetrics(server: FastifyInstance, { metrics }: OperationsOptions): void {
  server.get('/metrics', async (_request, reply) => {
    const exposition = await (metrics.exposeBytes?.() ?? metrics.expose())
    return reply.type(metrics.contentType).send(exposition)
  })
}
