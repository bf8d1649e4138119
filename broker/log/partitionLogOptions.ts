// Options with which the log of a partition is opened: its environment, its place, and what the
// data directory knows about it. No behaviour.

import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import type { Scheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { DiskSpace } from './directory/diskSpace.ts'
import type { CommitJournal } from './journal/commitJournal.ts'
import type { LogConfig } from './logConfig.ts'
import type { LogFigures } from './logFigures.ts'
import type { RestingLog } from './recovery/restingLog.ts'
import type { IndexCache } from './segment/indexes/indexCache.ts'

export interface PartitionLogOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Starts the write of a group once the appends of the current turn have joined it. */
  readonly scheduler: Scheduler
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  /** Directory of the partition; created if it does not exist. */
  readonly directory: string
  readonly config?: LogConfig
  /** From the checkpoint: all records below are durable. 0 scans the whole log. */
  readonly recoveryPoint?: number
  /** The log was closed cleanly, so that its files are durable. */
  readonly wasClosed?: boolean
  /** Base offsets of segments that are durable. */
  readonly syncedSegments?: ReadonlySet<number> | undefined
  /** The saved state of the log, if nothing has changed since. */
  readonly resting?: RestingLog | undefined
  /** Whether the checkpoints list the log, so that a missing entry means 0. */
  readonly isKnown?: boolean
  /** From the checkpoint: all records below were deleted. */
  readonly logStartOffset?: number
  /** From the checkpoint: all records below were committed. 0 without an entry. */
  readonly highWatermark?: number | undefined
  /** Shared by all logs of a process, which bounds the memory of their indexes. */
  readonly indexCache?: IndexCache
  /** For segment.jitter.ms; no jitter without it. */
  readonly random?: Random | undefined
  /** Makes appends of several logs durable with one sync; without one, each log syncs its own. */
  readonly journal?: CommitJournal | undefined
  /** Free space of the data directory, shared by its logs. */
  readonly space?: DiskSpace
  /** Counts syncs and deleted segments. */
  readonly figures?: LogFigures | undefined
  /** Called with failures of the disk, which may concern the whole data directory. */
  readonly onFailure?: (cause: unknown) => void
  /**
   * Makes the current `recoveryPoint` durable, before records below the previous one are removed.
   */
  readonly saveRecoveryPoint?: () => Promise<void>
  /** Makes the current `logStartOffset` durable, before records are deleted. */
  readonly saveLogStartOffset?: () => Promise<void>
}
