// Reads the offset log and the commit log of a stopped job together.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { CheckpointError } from '../checkpoint/checkpointError.ts'
import { type Commit, CommitLog } from '../checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import { commitsFile, offsetsFile, stateFolder } from '../jobDirectory.ts'

export interface JobLogs {
  /** Oldest first, without gaps. The last one may not be committed. */
  readonly batches: readonly OffsetLogEntry[]
  /** The newest few, oldest first. */
  readonly commits: readonly Commit[]
}

/**
 * The directory must be locked. Throws CHECKPOINT_DAMAGED also for logs that do not belong
 * together.
 */
export async function readLogs(disk: Disk, directory: string): Promise<JobLogs> {
  const offsetLog = await OffsetLog.open(disk, join(directory, offsetsFile))
  try {
    const commitLog = await CommitLog.open(disk, join(directory, commitsFile))
    try {
      requireOneJob(directory, offsetLog, commitLog)
      return logsOf(offsetLog, commitLog)
    } finally {
      await commitLog.close()
    }
  } finally {
    await offsetLog.close()
  }
}

/**
 * A batch is committed before the next one is planned; other logs come from two copies of the
 * directory.
 */
function requireOneJob(directory: string, offsetLog: OffsetLog, commitLog: CommitLog): void {
  const planned = offsetLog.latest()?.batchId ?? -1
  const committed = commitLog.latest()
  if (committed === planned || committed === planned - 1) return
  throw new CheckpointError(
    'CHECKPOINT_DAMAGED',
    `the logs in ${directory} do not match: batch ${planned} is planned and batch ${committed} ` +
      'committed; restore a copy of the whole directory, or remove the directory to start over',
  )
}

export function logsOf(offsetLog: OffsetLog, commitLog: CommitLog): JobLogs {
  const batches = offsetLog.range(0, Number.MAX_SAFE_INTEGER)
  return { batches, commits: commitLog.commits() }
}

/** Returns the newest committed batch, with its commit. Throws when there is none. */
export function committedBatch(
  directory: string,
  { batches, commits }: JobLogs,
): { readonly batch: OffsetLogEntry; readonly commit: Commit } {
  const commit = commits.at(-1)
  const batch = batches.find(({ batchId }) => batchId === commit?.batchId)
  if (commit !== undefined && batch !== undefined) return { batch, commit }
  throw new EngineError(
    'JOB_OPTION_INVALID',
    `the job in ${directory} has not committed a batch yet; there is nothing to save or to rewind to`,
  )
}

/** Uids of the states that exist, sorted. */
export async function stateUids(disk: Disk, directory: string): Promise<string[]> {
  const folder = join(directory, stateFolder)
  if ((await disk.stat(folder)) === undefined) return []
  return await disk.list(folder)
}
