// `GET /log-level` and `PUT /log-level` with `{"level": "debug"}`: the log level of the running
// program. Changing it is restricted to this machine, even on an address that other hosts may
// reach: `debug` logs a lot. The host name is checked too, since a browser on this machine can be
// led here under another name (DNS rebinding).

import type { FastifyInstance } from 'fastify'
import { isLoopbackHostHeader } from '../../runtime/network/loopback.ts'
import { isLogLevel, logLevels } from '../../telemetry/logging/logLevel.ts'
import { isFromLoopback } from '../guardedServer.ts'
import { HttpRefusal } from '../httpRefusal.ts'
import type { OperationsOptions } from '../operationsOptions.ts'

export function serveLogLevel(server: FastifyInstance, { logLevel }: OperationsOptions): void {
  if (logLevel === undefined) return
  server.get('/log-level', () => ({ level: logLevel.level }))
  server.put('/log-level', (request) => {
    const { socket, headers } = request
    if (!isFromLoopback(socket.remoteAddress) || !isLoopbackHostHeader(headers.host)) {
      throw new HttpRefusal(
        'NOT_LOCAL',
        'the log level can be changed only from its own machine, at 127.0.0.1',
      )
    }
    const body = (request.body ?? {}) as { readonly level?: unknown }
    const { level } = body
    if (!isLogLevel(level) || Object.keys(body).length > 1) {
      const message = `give {"level": L} with one of ${logLevels.join(', ')}`
      throw new HttpRefusal('LOG_LEVEL_INVALID', message)
    }
    logLevel.level = level
    return { level }
  })
}
