// `GET /version`: program, build, Node version and start time.

import type { FastifyInstance } from 'fastify'
import type { OperationsOptions } from '../operationsOptions.ts'

export function serveVersion(
  server: FastifyInstance,
  { program, build, clock, startedMs }: OperationsOptions,
): void {
  server.get('/version', () => ({
    program,
    version: build.version,
    ...(build.commit === undefined ? {} : { commit: build.commit }),
    node: process.versions.node,
    startedMs,
    uptimeSeconds: Math.max(0, Math.round((clock.nowMs() - startedMs) / 1000)),
  }))
}
