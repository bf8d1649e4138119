// The operations routes, the same for every program: `/metrics`, `/healthy`, `/ready`, `/version`
// and `/log-level`, one file per route in routes/. Contract: stateless, and answered from memory
// only, so that a program in trouble still reports what the trouble is.

import type { FastifyInstance } from 'fastify'
import type { Clock } from '../runtime/clock.ts'
import type { LogLevelControl } from '../telemetry/logLevel.ts'
import type { BuildInfo } from './buildInfo.ts'
import type { ProgramHealth } from './health.ts'
import { serveHealthy } from './routes/healthy.ts'
import { serveLogLevel } from './routes/logLevel.ts'
import { serveMetrics } from './routes/metrics.ts'
import { serveReady } from './routes/ready.ts'
import { serveVersion } from './routes/version.ts'

export interface OperationsOptions {
  /** `broker`, `agent`, `job`, `admin` or `demo`. */
  readonly program: string
  readonly build: BuildInfo
  readonly clock: Clock
  /** Start time of the program, in ms since the epoch. */
  readonly startedMs: number
  readonly metrics: ExposedMetrics
  readonly health: ProgramHealth
  /** Undefined: the log level cannot be changed over HTTP. */
  readonly logLevel?: LogLevelControl | undefined
}

export interface ExposedMetrics {
  /** Returns all metrics in Prometheus' text format. */
  expose(): Promise<string>
  /** The same as UTF-8, if it is produced as bytes: with many partitions it is several MB. */
  exposeBytes?(): Promise<Buffer>
  readonly contentType: string
}

/** Adds the routes to an existing server. */
export function serveOperations(server: FastifyInstance, options: OperationsOptions): void {
  serveMetrics(server, options)
  serveHealthy(server, options)
  serveReady(server, options)
  serveVersion(server, options)
  serveLogLevel(server, options)
}
