// Measures the free space of the disks of all data directories every 10 s: the time until a disk is
// full can only be computed from earlier samples. Cost: two system calls per sample and directory,
// whatever the number of partitions.

import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { LogManager } from '../log/logManager.ts'
import { PeriodicTask } from '../log/maintenance/periodicTask.ts'
import { type DiskLevel, DiskTrend, diskLevel } from './diskTrend.ts'

const intervalMs = 10_000

export interface DiskMonitorOptions {
  readonly clock: Clock
  readonly disk: Pick<Disk, 'freeBytes' | 'totalBytes'>
  readonly logs: Pick<LogManager, 'directories' | 'failedDirectories'>
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
}

/** Figures of the disk of one usable data directory. */
export interface DiskFigures {
  readonly path: string
  readonly sizeBytes: number
  readonly freeBytes: number
  readonly secondsUntilFull: number
}

interface Watched {
  readonly trend: DiskTrend
  sizeBytes: number
  freeBytes: number
}

export class DiskMonitor {
  readonly #options: DiskMonitorOptions
  readonly #watched = new Map<string, Watched>()
  readonly #first: Promise<void>
  readonly #task: PeriodicTask

  constructor(options: DiskMonitorOptions) {
    this.#options = options
    this.#first = this.#look()
    this.#task = new PeriodicTask({
      clock: options.clock,
      delayMs: intervalMs,
      intervalMs,
      run: () => this.#look(),
      failed: () => {},
    })
  }

  /** Resolves after the first measurement. */
  get looked(): Promise<void> {
    return this.#first
  }

  async close(): Promise<void> {
    await Promise.all([this.#first, this.#task.stop()])
  }

  /** Figures of the usable data directories. */
  disks(): DiskFigures[] {
    const { logs, reservedBytes } = this.#options
    return logs.directories.flatMap(({ path }) => {
      const watched = this.#watched.get(path)
      if (!watched) return []
      const { sizeBytes, freeBytes, trend } = watched
      return [{ path, sizeBytes, freeBytes, secondsUntilFull: trend.secondsUntil(reservedBytes) }]
    })
  }

  /** Levels of all data directories, including failed ones. */
  levels(): { readonly path: string; readonly hasFailed: boolean; readonly level: DiskLevel }[] {
    const { logs, reservedBytes } = this.#options
    const known = new Map(this.disks().map((disk) => [disk.path, disk]))
    const usable = logs.directories.map(({ path, space }) => {
      const refuses = space.shortage !== undefined
      const disk = known.get(path)
      const level = disk ? diskLevel({ ...disk, refuses, reservedBytes }) : refuses ? 2 : 0
      return { path, hasFailed: false, level: level as DiskLevel }
    })
    const failed = logs.failedDirectories.map(({ path }) => {
      return { path, hasFailed: true, level: 2 as const }
    })
    return [...usable, ...failed]
  }

  async #look(): Promise<void> {
    const { disk, logs, clock } = this.#options
    await Promise.all(
      logs.directories.map(async ({ path }) => {
        try {
          const freeBytes = await disk.freeBytes(path)
          const sizeBytes = await disk.totalBytes(path)
          const trend = this.#watched.get(path)?.trend ?? new DiskTrend()
          trend.add(clock.monotonicMs(), freeBytes)
          this.#watched.set(path, { trend, sizeBytes, freeBytes })
        } catch {
          // The log manager's own checks detect the failed directory and report it.
          this.#watched.delete(path)
        }
      }),
    )
  }
}
