// The periodic work on the logs of a broker: checkpoints, which keep recovery short; retention; and
// checks of the free space. A failure is logged once and retried at the next interval. Runs no task
// while it is running.

import type { PartitionMap } from '../../protocol/kafka/partitionMap.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { LogDirectories } from './directory/logDirectories.ts'
import type { ManagedLog } from './directory/logDirectory.ts'
import { isPassing } from './logError.ts'
import { inParallel } from './maintenance/inParallel.ts'
import { PeriodicTask } from './maintenance/periodicTask.ts'

export interface MaintenanceIntervals {
  /** log.flush.offset.checkpoint.interval.ms */
  readonly checkpointIntervalMs?: number
  /** log.retention.check.interval.ms */
  readonly retentionCheckIntervalMs?: number
  /** log.initial.task.delay.ms: delay of the first retention check. */
  readonly initialTaskDelayMs?: number
}

export interface LogMaintenanceOptions extends MaintenanceIntervals {
  readonly clock: Clock
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  readonly logs: PartitionMap<ManagedLog>
  readonly directories: LogDirectories
}

const defaultCheckpointIntervalMs = 60_000
const defaultRetentionCheckIntervalMs = 300_000
const defaultInitialTaskDelayMs = 30_000
/** How soon a full disk, or one with space again, is noticed while nothing is written. */
const spaceCheckIntervalMs = 5_000
/** Soon, because a new directory has no reserve yet; but not while the broker starts. */
const firstSpaceCheckMs = 1_000

export class LogMaintenance {
  readonly #options: LogMaintenanceOptions
  readonly #tasks: PeriodicTask[] = []
  #checkpointing: Promise<void> = Promise.resolve()

  constructor(options: LogMaintenanceOptions) {
    this.#options = options
  }

  start(): void {
    const {
      checkpointIntervalMs = defaultCheckpointIntervalMs,
      initialTaskDelayMs = defaultInitialTaskDelayMs,
      retentionCheckIntervalMs = defaultRetentionCheckIntervalMs,
    } = this.#options
    const checkpoints = [checkpointIntervalMs, checkpointIntervalMs] as const
    const retentions = [initialTaskDelayMs, retentionCheckIntervalMs] as const
    const spaces = [firstSpaceCheckMs, spaceCheckIntervalMs] as const
    this.#repeat('checkpoints', checkpoints, () => this.checkpoint())
    this.#repeat('retention', retentions, () => this.applyRetention())
    this.#repeat('free space', spaces, () => this.checkSpace())
  }

  /** Resolves when no task is running; none is started any more. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#tasks.map((task) => task.stop()))
    await Promise.allSettled([this.#checkpointing])
  }

  /** Advances the recovery point of every log and writes the checkpoints. One at a time. */
  checkpoint(): Promise<void> {
    // A failed checkpoint was already reported to its caller.
    const before = this.#checkpointing.catch(() => {})
    this.#checkpointing = before.then(async () => {
      const { logs, directories } = this.#options
      // With thousands of logs, most have no new records since the last checkpoint.
      const behind = [...logs.values()].filter(({ log }) => log.recoveryPoint !== log.logEndOffset)
      await inParallel(behind, ({ log }) => log.checkpoint())
      await directories.each(async (directory) => {
        await directory.saveRecoveryPoints()
        await directory.saveHighWatermarks()
        await directory.noteRestingLogs()
      })
    })
    return this.#checkpointing
  }

  /** Deletes the segments that the retention of each log no longer keeps. */
  async applyRetention(): Promise<void> {
    const { logs, logger } = this.#options
    await inParallel([...logs.values()], async ({ topic, partition, log }) => {
      try {
        await log.applyRetention()
      } catch (error) {
        logger.error({ error, topic, partition }, 'failed to delete old segments')
      }
    })
  }

  /**
   * Checks the free space of the data directories. Logs that were stopped by a full disk are
   * resumed.
   */
  async checkSpace(): Promise<void> {
    await this.#options.directories.each(async (directory) => {
      const { health, space, logs } = directory
      await health.check()
      if (health.failure) return
      await directory.removeLeftovers()
      await space.check()
      await space.restoreReserve()
      const full = [...logs.values()].filter(({ log }) => isPassing(log.offline))
      await inParallel(full, ({ log }) => log.regainSpace())
    })
  }

  #repeat(
    what: string,
    [delayMs, intervalMs]: readonly [number, number],
    task: () => Promise<void>,
  ): void {
    const { clock, logger, rarePoints } = this.#options
    const fails = new LastingCondition({
      ...{ clock, logger, level: 'error' },
      over: `log maintenance works again: ${what}`,
    })
    const run = async () => {
      if (rarePoints?.isForced('log maintenance late')) return
      await task()
      fails.over()
    }
    const failed = (error: unknown) => {
      fails.met({ error, retryMs: intervalMs }, `log maintenance failed: ${what}; retried`)
    }
    this.#tasks.push(new PeriodicTask({ clock, delayMs, intervalMs, run, failed }))
  }
}
