// What a program provides to its operations routes. Everything is read from memory at each request.

import type { Clock } from '../runtime/time/clock.ts'
import type { LogLevelControl } from '../telemetry/logging/logLevel.ts'
import type { BuildInfo } from '../telemetry/metrics/buildInfo.ts'
import type { ProgramHealth } from './health.ts'

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
