// A stopped job, as found in its directory: its positions and its operators.

import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { count } from '../../protocol/telemetry/figures.ts'
import type { OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import { type JobDirectory, takeStopped } from '../jobDirectory.ts'
import { readLogs } from '../savepoint/jobLogs.ts'

export interface StoredJob {
  readonly directory: string
  readonly name: string
  readonly partitions: number
  readonly instance: string
  /** The newest committed batch; undefined for none. */
  readonly committed?: OffsetLogEntry | undefined
  /** A batch that was planned and not committed; it runs first at the next start. */
  readonly planned?: OffsetLogEntry | undefined
}

/** Rejects with an EngineError when it is not a job's directory, or is held by a process. */
export async function storedJob(disk: Disk, directory: string): Promise<StoredJob> {
  const { lock, owner, instance } = await taken(disk, directory)
  try {
    const { batches, commits } = await readLogs(disk, directory)
    const committedId = commits.at(-1)?.batchId ?? -1
    const latest = batches.at(-1)
    return {
      ...{ directory, name: owner.name, partitions: owner.partitions, instance },
      committed: batches.find(({ batchId }) => batchId === committedId),
      planned: latest !== undefined && latest.batchId > committedId ? latest : undefined,
    }
  } finally {
    await lock.release()
  }
}

export function describeStored(job: StoredJob): string[] {
  const { directory, name, instance, committed, planned } = job
  const operators = (planned ?? committed)?.operators ?? []
  return [
    `job ${name}, instance ${instance}: not running`,
    `  directory ${directory}`,
    committed
      ? `  newest    batch ${committed.batchId}, committed`
      : '  newest    no batch has been committed',
    ...(planned ? [`  planned   batch ${planned.batchId}, rerun at the next start`] : []),
    ...(committed?.ranges ?? []).map(({ topic, partition, until }) => {
      return `  position  ${topic}-${partition} at ${count(until)}`
    }),
    ...operators.map(({ uid, kind, codec }) => `  operator  ${uid}: ${kind}, codec ${codec}`),
  ]
}

async function taken(disk: Disk, directory: string): Promise<JobDirectory> {
  try {
    return await takeStopped(disk, directory)
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'JOB_ALREADY_RUNNING') throw error
    const message = `the job in ${directory} runs in a process that does not answer; see its log`
    throw new EngineError('JOB_UNREACHABLE', message, error)
  }
}
