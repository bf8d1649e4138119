// Takes a savepoint of a stopped job, as of its newest committed batch.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import type { OperatorContract } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import { ownerFormat, stateFolder, takeStopped } from '../jobDirectory.ts'
import type { StateChunks } from '../state/stateEntry.ts'
import { committedBatch, type JobLogs, readLogs } from './jobLogs.ts'
import { missingStates, stateMissing } from './missingStates.ts'
import { type SavedJob, type Savepoint, writeSavepoint } from './savepoint.ts'
import type { StateAccess } from './stateAccess.ts'

export interface SaveOptions {
  readonly disk: Disk
  /** Directory of the job. */
  readonly directory: string
  /** Path of the savepoint, which must not exist. */
  readonly target: string
  /** Version of this program. */
  readonly millrace: string
  readonly states: Pick<StateAccess, 'exportState' | 'isNew'>
}

/**
 * Rejects while the job runs, and before it has committed a batch. Changes nothing in the job's
 * directory.
 */
export async function saveJob(options: SaveOptions): Promise<Savepoint> {
  const { disk, directory, target, millrace, states } = options
  const { lock, owner } = await takeStopped(disk, directory)
  try {
    const logs = await readLogs(disk, directory)
    const { name: job, partitions } = owner
    if (owner.formatVersion < ownerFormat) throw tooOld(directory)
    const missing = await missingStates(disk, directory, partitions, logs.commits.at(-1))
    if (missing.length > 0) throw stateMissing(job, directory, missing)
    const saved = savedJob(directory, { millrace, job, partitions }, logs)
    return await writeSavepoint(disk, target, saved, statesOf(directory, saved, states))
  } finally {
    await lock.release()
  }
}

/**
 * Returns the savepoint's description of a job, as of its newest committed batch. For a running
 * job, the driver calls it between two batches, while its executors have released the states.
 */
export function savedJob(
  directory: string,
  job: Pick<SavedJob, 'millrace' | 'job' | 'partitions'>,
  logs: JobLogs,
): SavedJob {
  const { batch, commit } = committedBatch(directory, logs)
  // The states belong to the operators of the newest plan, committed or not (see prepareDirectory).
  const { code, operators } = logs.batches.at(-1)!
  if (operators === undefined) throw tooOld(directory)
  const before = logs.batches.filter(({ batchId }) => batchId < batch.batchId)
  const last: OffsetLogEntry = { ...batch, code, operators }
  return { ...job, batches: [...before, last], commit, operators }
}

/** Exports the states of the job as of its newest committed batch (see writeSavepoint). */
export function statesOf(
  directory: string,
  { partitions, commit }: SavedJob,
  states: Pick<StateAccess, 'exportState' | 'isNew'>,
): (operator: OperatorContract) => Promise<StateChunks | undefined> {
  return async ({ uid }) => {
    const place = [join(directory, stateFolder, uid), partitions, commit.batchId] as const
    return (await states.isNew(...place)) ? undefined : states.exportState(...place)
  }
}

function tooOld(directory: string): EngineError {
  return new EngineError(
    'JOB_OPTION_INVALID',
    `the job in ${directory} last ran with an earlier version of Millrace, which did not record operators; start ` +
      'it once with this version, stop it, and then take the savepoint',
  )
}
