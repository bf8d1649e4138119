// The operations routes, the same for every program: `/metrics`, `/healthy`, `/ready`, `/version`
// and `/log-level`, one file per route in routes/. Contract: stateless, and answered from memory
// only, so that a program in trouble still reports what the trouble is.

import type { FastifyInstance } from 'fastify'
import type { OperationsOptions } from './operationsOptions.ts'
import { serveHealthy } from './routes/healthy.ts'
import { serveLogLevel } from './routes/logLevel.ts'
import { serveMetrics } from './routes/metrics.ts'
import { serveReady } from './routes/ready.ts'
import { serveVersion } from './routes/version.ts'

/** Adds the routes to an existing server. */
export function serveOperations(server: FastifyInstance, options: OperationsOptions): void {
  serveMetrics(server, options)
  serveHealthy(server, options)
  serveReady(server, options)
  serveVersion(server, options)
  serveLogLevel(server, options)
}
