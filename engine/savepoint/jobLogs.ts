// The offset log and the commit log of a job that does not run, read together.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk.ts'
import { type Commit, CommitLog } from '../checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import { commitsFile, offsetsFile, stateFolder } from '../jobDirectory.ts'

export interface JobLogs {
  /** Oldest first, without gaps. The last may not be committed. */
  readonly batches: readonly OffsetLogEntry[]
  /** The newest few, oldest first. */
  readonly commits: readonly Commit[]
}

/** The directory must be locked. */
export async function readLogs(disk: Disk, directory: string): Promise<JobLogs> {
  const offsetLog = await OffsetLog.open(disk, join(directory, offsetsFile))
  try {
    const commitLog = await CommitLog.open(disk, join(directory, commitsFile))
    try {
      return logsOf(offsetLog, commitLog)
    } finally {
      await commitLog.close()
    }
  } finally {
    await offsetLog.close()
  }
}

export function logsOf(offsetLog: OffsetLog, commitLog: CommitLog): JobLogs {
  const batches = offsetLog.range(0, Number.MAX_SAFE_INTEGER)
  return { batches, commits: commitLog.commits() }
}

/** The newest batch that is committed, with its commit. Fails when there is none. */
export function committedBatch(
  directory: string,
  { batches, commits }: JobLogs,
): { readonly batch: OffsetLogEntry; readonly commit: Commit } {
  const commit = commits.at(-1)
  const batch = batches.find(({ batchId }) => batchId === commit?.batchId)
  if (commit !== undefined && batch !== undefined) return { batch, commit }
  throw new EngineError(
    'JOB_OPTION_INVALID',
    `the job in ${directory} has not committed a batch yet: there is nothing to save or to go back to`,
  )
}

/** The uids for which there is state, sorted. */
export async function stateUids(disk: Disk, directory: string): Promise<string[]> {
  const folder = join(directory, stateFolder)
  if ((await disk.stat(folder)) === undefined) return []
  return await disk.list(folder)
}
