// Counters of the logs of one data directory: plain fields, read by the Prometheus exposition
// (broker/metrics).

import type { Clock } from '../../protocol/runtime/time/clock.ts'
import { Distribution } from '../../protocol/telemetry/metrics/distribution.ts'
import { diskMetrics } from '../metrics/table/disks.ts'

/** Figures of one way to make appends durable. */
export class SyncFigures {
  readonly seconds = new Distribution(diskMetrics.syncSeconds.buckets)
  readonly bytes = new Distribution(diskMetrics.syncBytes.buckets)
  readonly appends = new Distribution(diskMetrics.syncAppends.buckets)
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Runs `sync` and counts it, unless it fails. `bytes` and `appends` are what it makes durable.
   */
  async measure(bytes: number, appends: number, sync: () => Promise<void>): Promise<void> {
    const startedMs = this.#clock.monotonicMs()
    await sync()
    this.seconds.observe((this.#clock.monotonicMs() - startedMs) / 1000)
    this.bytes.observe(bytes)
    this.appends.observe(appends)
  }
}

export class LogFigures {
  /** Synced writes to the commit journal. */
  readonly journal: SyncFigures
  /** Syncs of segments that an append waits for. */
  readonly segment: SyncFigures
  deletedSegments = 0
  deletedBytes = 0

  constructor(clock: Clock) {
    this.journal = new SyncFigures(clock)
    this.segment = new SyncFigures(clock)
  }
}
