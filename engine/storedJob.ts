// A job that does not run, as its directory tells it: how far it has come, and what keeps state.

import { join } from 'node:path'
import { DirectoryInUseError, type Disk } from '../protocol/runtime/disk.ts'
import { count } from '../protocol/telemetry/figures.ts'
import { CommitLog } from './checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from './checkpoint/offsetLog.ts'
import { EngineError } from './engineError.ts'

export interface StoredJob {
  readonly directory: string
  readonly name: string
  readonly partitions: number
  readonly instance?: string | undefined
  /** The newest committed batch; undefined when there is none. */
  readonly committed?: OffsetLogEntry | undefined
  /** A batch that was planned and not committed: it runs first at the next start. */
  readonly planned?: OffsetLogEntry | undefined
}

/** Fails with an EngineError when it is no job's directory, or when a process has it. */
export async function storedJob(disk: Disk, directory: string): Promise<StoredJob> {
  const owner = await ownerOf(disk, directory)
  const lock = await disk.lock(directory).catch((error: unknown) => {
    if (!(error instanceof DirectoryInUseError)) throw error
    const message = `the job in ${directory} runs in a process that does not answer: see its log`
    throw new EngineError('JOB_UNREACHABLE', message, error)
  })
  try {
    return { directory, ...owner, ...(await batchesOf(disk, directory)) }
  } finally {
    await lock.release()
  }
}

export function describeStored(job: StoredJob): string[] {
  const { directory, name, instance, committed, planned } = job
  const operators = (planned ?? committed)?.operators ?? []
  return [
    `job ${name}${instance === undefined ? '' : `, instance ${instance}`}: does not run`,
    `  directory ${directory}`,
    committed
      ? `  newest    batch ${committed.batchId}, committed`
      : '  newest    no batch has been committed',
    ...(planned ? [`  planned   batch ${planned.batchId} runs first at the next start`] : []),
    ...(committed?.ranges ?? []).map(({ topic, partition, until }) => {
      return `  position  ${topic}-${partition} at ${count(until)}`
    }),
    ...operators.map(({ uid, kind, codec }) => `  operator  ${uid}: ${kind}, codec ${codec}`),
  ]
}

async function ownerOf(
  disk: Disk,
  directory: string,
): Promise<Pick<StoredJob, 'name' | 'partitions' | 'instance'>> {
  const content = await disk.readFile(join(directory, 'job.json')).catch(() => undefined)
  const parsed = content === undefined ? undefined : parsedOwner(content.toString())
  if (typeof parsed?.name !== 'string') {
    const message = `${directory} is not the directory of a job: there is no job.json in it that says so`
    throw new EngineError('JOB_UNKNOWN', message)
  }
  const { name, partitions = 1, instance } = parsed
  return { name, partitions, instance }
}

function parsedOwner(content: string): Partial<StoredJob> | null | undefined {
  try {
    return JSON.parse(content)
  } catch {
    return undefined
  }
}

async function batchesOf(
  disk: Disk,
  directory: string,
): Promise<Pick<StoredJob, 'committed' | 'planned'>> {
  const checkpoint = join(directory, 'checkpoint')
  // A job that was never started has neither, and opening them would create them.
  if ((await disk.stat(join(checkpoint, 'offsets'))) === undefined) return {}
  const offsets = await OffsetLog.open(disk, join(checkpoint, 'offsets'))
  try {
    const commits = await CommitLog.open(disk, join(checkpoint, 'commits'))
    const latest = offsets.latest()
    const committed = offsets.get(commits.latest())
    await commits.close()
    const isPlanned = latest !== undefined && latest.batchId > commits.latest()
    return { committed, planned: isPlanned ? latest : undefined }
  } finally {
    await offsets.close()
  }
}
