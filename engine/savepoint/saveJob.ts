// Takes a savepoint of a job, stopped or running: of everything as of its newest committed batch.

import { join } from 'node:path'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import type { CommitLog } from '../checkpoint/commitLog.ts'
import type { OffsetLog, OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import type { StateAnswer, StateQuery } from '../executor/task.ts'
import { ownerFormat, stateFolder, takeStopped } from '../jobDirectory.ts'
import type { Job } from '../stream/job.ts'
import { committedBatch, type JobLogs, logsOf, readLogs } from './jobLogs.ts'
import { type SavedJob, type Savepoint, writeSavepoint } from './savepoint.ts'
import type { StateAccess, StateChunks } from './stateAccess.ts'

export interface SaveOptions {
  readonly disk: Disk
  /** The job's. */
  readonly directory: string
  /** The savepoint's, which must not exist. */
  readonly target: string
  /** Version of this program. */
  readonly millrace: string
  readonly states: Pick<StateAccess, 'exportState'>
}

/** Fails while the job runs, and before it has committed a batch. Changes nothing of the job. */
export async function saveJob(options: SaveOptions): Promise<Savepoint> {
  const { disk, directory, target, millrace, states } = options
  const { lock, owner } = await takeStopped(disk, directory)
  try {
    const logs = await readLogs(disk, directory)
    const { name: job, partitions } = owner
    if (owner.formatVersion < ownerFormat) throw tooOld(directory)
    const saved = savedJob(directory, { millrace, job, partitions }, logs)
    const { batchId } = saved.commit
    return await writeSavepoint(disk, target, saved, ({ uid }) =>
      states.exportState(join(directory, stateFolder, uid), partitions, batchId),
    )
  } finally {
    await lock.release()
  }
}

export interface SaveRunningOptions extends Omit<SaveOptions, 'states'> {
  readonly job: Pick<Job, 'name' | 'partitions'>
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
  /** Asks the executor that holds a partition of a state. */
  queryState(query: StateQuery): Promise<StateAnswer>
}

/**
 * Takes a savepoint while the job runs. Called by its driver between two batches, of which none may be
 * planned before this resolves: states are kept as of the newest two batches only.
 */
export async function saveRunningJob(options: SaveRunningOptions): Promise<Savepoint> {
  const { disk, directory, target, millrace, job, offsetLog, commitLog } = options
  const { name, partitions } = job
  const logs = logsOf(offsetLog, commitLog)
  const saved = savedJob(directory, { millrace, job: name, partitions }, logs)
  return await writeSavepoint(disk, target, saved, ({ uid }) =>
    stateOfExecutors(options, uid, saved.commit.batchId),
  )
}

/** Entries in one answer of an executor; it also bounds their bytes. */
const entriesAtOnce = 5000

async function* stateOfExecutors(
  { job, queryState }: SaveRunningOptions,
  operator: string,
  batchId: number,
): StateChunks {
  for (let partition = 0; partition < job.partitions; partition++) {
    let after: Uint8Array | undefined
    do {
      const query = { operator, partition, batchId, limit: entriesAtOnce, stored: { after } }
      const { stored } = await queryState(query)
      assert(stored !== undefined, 'an executor answers what it is asked')
      yield stored.entries
      after = stored.after
    } while (after !== undefined)
  }
}

/** What a savepoint says of a job, as of its newest committed batch. */
export function savedJob(
  directory: string,
  job: Pick<SavedJob, 'millrace' | 'job' | 'partitions'>,
  logs: JobLogs,
): SavedJob {
  const { batch, commit } = committedBatch(directory, logs)
  // The states are those of the newest plan's operators, committed or not (see prepareDirectory).
  const { code, operators } = logs.batches.at(-1)!
  if (operators === undefined) throw tooOld(directory)
  const before = logs.batches.filter(({ batchId }) => batchId < batch.batchId)
  const last: OffsetLogEntry = { ...batch, code, operators }
  return { ...job, batches: [...before, last], commit, operators }
}

function tooOld(directory: string): EngineError {
  return new EngineError(
    'JOB_OPTION_INVALID',
    `an earlier version of Millrace ran the job in ${directory} last, which did not keep its operators: start ` +
      'the job once with this version, stop it, and take the savepoint then',
  )
}
