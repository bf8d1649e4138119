// `GET /log-level` and `PUT /log-level` with `{"level": "debug"}`: what is logged, while the program runs.

import type { FastifyInstance } from 'fastify'
import { isLogLevel, logLevels } from '../../telemetry/logLevel.ts'
import type { OperationsOptions } from '../operations.ts'

export function serveLogLevel(server: FastifyInstance, { logLevel }: OperationsOptions): void {
  if (logLevel === undefined) return
  server.get('/log-level', () => ({ level: logLevel.level }))
  server.put('/log-level', (request, reply) => {
    const { level } = (request.body ?? {}) as { readonly level?: unknown }
    if (!isLogLevel(level)) {
      const message = `give {"level": L} with one of ${logLevels.join(', ')}`
      return reply.code(400).send({ error: 'INVALID_LOG_LEVEL', message })
    }
    logLevel.level = level
    return { level }
  })
}
