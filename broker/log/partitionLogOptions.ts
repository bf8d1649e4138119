// What a partition's log is opened with: the world, where it lies, and what its data directory knows
// of it.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { DiskSpace } from './directory/diskSpace.ts'
import type { CommitJournal } from './journal/commitJournal.ts'
import type { LogConfig } from './logConfig.ts'
import type { LogFigures } from './logFigures.ts'
import type { RestingLog } from './recovery/restingLog.ts'
import type { IndexCache } from './segment/indexCache.ts'

export interface PartitionLogOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  /** The partition's own directory; created when it is missing. */
  readonly directory: string
  readonly config?: LogConfig
  /** From the checkpoint: everything below is on the disk for certain. 0 scans the whole log. */
  readonly recoveryPoint?: number
  /** The last one to have the log open closed it in order: what it has left is durable. */
  readonly wasClosed?: boolean
  /** By their base offsets: what these segments hold is on the disk for certain. */
  readonly syncedSegments?: ReadonlySet<number> | undefined
  /** What was written down of the log, if nothing has changed since. */
  readonly resting?: RestingLog | undefined
  /** Whether the checkpoints have the log, so that what they do not say of it is not so. */
  readonly isKnown?: boolean
  /** From the checkpoint: everything below was deleted. */
  readonly logStartOffset?: number
  /** Shared by the logs of a process, so that the memory of indexes is bounded for all of them. */
  readonly indexCache?: IndexCache
  /** For segment.jitter.ms; without it, segments have their whole time. */
  readonly random?: Random | undefined
  /** Makes appends durable together with those of other logs; without one, each log syncs its own. */
  readonly journal?: CommitJournal | undefined
  /** The room for all logs of the data directory. */
  readonly space?: DiskSpace
  /** Counts syncs and deleted segments. */
  readonly figures?: LogFigures | undefined
  /** Told of what the disk has refused, which may concern the whole data directory. */
  readonly noticed?: (cause: unknown) => void
  /** Makes `recoveryPoint` durable as it is now, before records below the last one are cut off. */
  readonly saveRecoveryPoint?: () => Promise<void>
  /** Makes `logStartOffset` durable as it is now, before records are deleted or that is answered. */
  readonly saveLogStartOffset?: () => Promise<void>
}
