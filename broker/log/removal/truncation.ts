// Removes the end of a log, or all of it. Runs while appends are paused and everything accepted is
// stable; the log is opened again afterwards. Invariant: a crash, or a failed disk call, at any
// point leaves a log that opens without damage: a prefix of the old log that is at least as long as
// asked for, or the new empty log.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Durability } from '../durability/durability.ts'
import { LeaderEpochs } from '../leaderEpochs.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import { leaderEpochFileName, offsetsOfFiles, segmentFileName } from '../segment/segmentFiles.ts'
import type { LogStart } from './logStart.ts'

/** The parts of a log that a truncation changes. */
export interface TruncatedLog {
  readonly disk: Disk
  readonly directory: string
  readonly segments: LogSegments
  readonly start: LogStart
  readonly epochs: LeaderEpochs
  readonly durability: Durability
  /** Lowers the recovery point to `offset`, durably, if it is above. */
  lowerRecoveryPoint(offset: number): Promise<void>
}

/**
 * Removes the records from `offset` on, and those before it in the same batch; returns false if
 * there are none. The recovery point is lowered before records below it are removed, because
 * recovery takes missing records below it for damage.
 */
export async function truncateTo(log: TruncatedLog, offset: number): Promise<boolean> {
  const { segments, start, epochs, durability, disk, directory } = log
  if (offset >= segments.endOffset) return false
  const end = await segments.batchStart(Math.max(offset, start.offset))
  await start.lowerTo(end)
  await log.lowerRecoveryPoint(end)
  await segments.cut(end, durability.beforeCut)
  if (epochs.truncateFromEnd(end)) await saveEpochs(disk, directory, epochs)
  return true
}

/**
 * Removes all records, leader epochs and producers; the empty log starts at `offset`. A follower
 * does so when the log of its leader starts above the end of its own (Kafka:
 * truncateFullyAndStartAt).
 *
 * The new start becomes durable only when no segment is left: a log without segments opens empty at
 * its saved start, where segments that do not reach the saved start would be taken for damaged
 * ones. Epochs and producer snapshots are removed before it, because they would be taken for those
 * of the new log.
 */
export async function truncateFullyAndStartAt(log: TruncatedLog, offset: number): Promise<boolean> {
  const { segments, start, durability, disk, directory } = log
  await log.lowerRecoveryPoint(Math.min(offset, start.offset))
  await durability.beforeCut(0, 0)
  await segments.removeAll(start.offset)
  for (const snapshot of offsetsOfFiles(await disk.list(directory), '.snapshot')) {
    await disk.remove(join(directory, segmentFileName(snapshot, '.snapshot')))
  }
  // Syncs the directory, too.
  await saveEpochs(disk, directory, new LeaderEpochs())
  await start.resetTo(offset)
  return true
}

function saveEpochs(disk: Disk, directory: string, epochs: LeaderEpochs): Promise<void> {
  return disk.writeFileAtomic(join(directory, leaderEpochFileName), epochs.encode())
}
