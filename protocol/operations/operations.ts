// The operations edge, the same for every program: `/metrics`, `/healthy`, `/ready`, `/version` and
// `/log-level` over HTTP. One file per route. The edge keeps nothing, and answers from memory only, so
// that a program in trouble can still be asked what the trouble is.

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
  /** When the program started, in ms since the epoch. */
  readonly startedMs: number
  readonly metrics: ExposedMetrics
  readonly health: ProgramHealth
  /** Unless given, the level of the log cannot be changed over HTTP. */
  readonly logLevel?: LogLevelControl | undefined
}

export interface ExposedMetrics {
  /** Everything, in Prometheus' text format. */
  expose(): Promise<string>
  /** The same in UTF-8, where it is made of bytes anyway: with many partitions it is some MB. */
  exposeBytes?(): Promise<Buffer>
  readonly contentType: string
}

/** Adds the routes to a server that a program has anyway. */
export function serveOperations(server: FastifyInstance, options: OperationsOptions): void {
  serveMetrics(server, options)
  serveHealthy(server, options)
  serveReady(server, options)
  serveVersion(server, options)
  serveLogLevel(server, options)
}
