// A job's directory. Invariants: one process holds it at a time, and it belongs to one job. Its
// job.json names the job and the number of partitions of its state; state with another number, or
// in an earlier format, must be converted before the job runs (see savepoint/prepareDirectory.ts).

import { join } from 'node:path'
import { DirectoryInUseError, type Disk, type DiskLock } from '../protocol/runtime/disk/disk.ts'
import { makeDurableDirectory } from '../protocol/runtime/disk/durableDirectory.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import { finishChange } from './checkpoint/directoryChange.ts'
import { EngineError } from './engineError.ts'
import type { Job } from './stream/job.ts'

export interface JobDirectory {
  readonly path: string
  readonly lock: DiskLock
  readonly owner: JobOwner
  /**
   * Distinguishes copies of a job that run at the same time in different directories. Drawn when
   * the directory is first opened; 8 hexadecimal digits.
   */
  readonly instance: string
}

/** The contents of `job.json`. */
export interface JobOwner {
  /** 1 (or missing): states of JSON texts, partitioned by the hash of the key. 2: by key group. */
  readonly formatVersion: number
  readonly name: string
  /** Number of partitions of the existing state. */
  readonly partitions: number
  /** Directories of the first releases have none until they are opened. */
  readonly instance: string
  /** Id of the savepoint that the job was started from. */
  readonly startedFrom?: string | undefined
}

export const ownerFile = 'job.json'
export const stateFolder = 'state'
export const offsetsFile = join('checkpoint', 'offsets')
export const commitsFile = join('checkpoint', 'commits')
export const ownerFormat = 2

/**
 * Locks the directory, creating it if it does not exist, and completes an interrupted change.
 * Rejects when another process holds it, or it belongs to another job.
 */
export async function takeDirectory(
  { disk, random }: Pick<Runtime, 'disk' | 'random'>,
  directory: string,
  job: Pick<Job, 'name' | 'partitions'>,
): Promise<JobDirectory> {
  await makeDurableDirectory(disk, directory)
  return await locked(disk, directory, async (lock) => {
    const found = await readOwner(disk, directory)
    if (found !== undefined && found.name !== job.name) throw otherJob(directory, found, job)
    const { name, partitions } = job
    const drawn = drawInstance(random)
    const owner: JobOwner =
      found === undefined
        ? { formatVersion: ownerFormat, name, partitions, instance: drawn }
        : { ...found, instance: found.instance || drawn }
    if (found?.instance !== owner.instance) await writeOwner(disk, directory, owner)
    return { path: directory, lock, owner, instance: owner.instance }
  })
}

/** Locks the directory of a stopped job, whatever its code. Rejects when it does not exist. */
export async function takeStopped(disk: Disk, directory: string): Promise<JobDirectory> {
  if ((await disk.stat(join(directory, ownerFile))) === undefined) {
    throw new EngineError(
      'JOB_OPTION_INVALID',
      `${directory} is not a job's directory: it has no ${ownerFile}`,
    )
  }
  return await locked(disk, directory, async (lock) => {
    const owner = await readOwner(disk, directory)
    if (owner === undefined) throw unreadable(join(directory, ownerFile))
    return { path: directory, lock, owner, instance: owner.instance }
  })
}

/** Runs `use` with the directory locked; keeps the lock if that succeeds. */
export async function locked<T>(
  disk: Disk,
  directory: string,
  use: (lock: DiskLock) => Promise<T>,
): Promise<T> {
  const lock = await lockDirectory(disk, directory)
  try {
    await finishChange(disk, directory)
    return await use(lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

export function encodeOwner(owner: JobOwner): Buffer {
  return Buffer.from(JSON.stringify(owner))
}

/** Returns undefined for a directory that belongs to no job yet. */
export async function readOwner(disk: Disk, directory: string): Promise<JobOwner | undefined> {
  const file = join(directory, ownerFile)
  const content = await disk.readFile(file)
  return content === undefined ? undefined : parseOwner(file, content.toString())
}

export function drawInstance(random: Runtime['random']): string {
  return random
    .below(2 ** 32)
    .toString(16)
    .padStart(8, '0')
}

async function writeOwner(disk: Disk, directory: string, owner: JobOwner): Promise<void> {
  await disk.writeFileAtomic(join(directory, ownerFile), encodeOwner(owner))
}

async function lockDirectory(disk: Disk, directory: string): Promise<DiskLock> {
  try {
    return await disk.lock(directory)
  } catch (error) {
    if (!(error instanceof DirectoryInUseError)) throw error
    const message = `the job in ${directory} is already running; stop it first, or give another directory`
    throw new EngineError('JOB_ALREADY_RUNNING', message, error)
  }
}

function parseOwner(file: string, content: string): JobOwner {
  const { formatVersion = 1, name, partitions, instance = '', startedFrom } = parsed(content)
  const isOwner =
    typeof name === 'string' &&
    Number.isSafeInteger(partitions) &&
    Number.isSafeInteger(formatVersion) &&
    /^([0-9a-f]{8})?$/.test(instance) &&
    (startedFrom === undefined || typeof startedFrom === 'string')
  if (!isOwner) throw unreadable(file)
  if (formatVersion > ownerFormat) {
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `${file} was written by a newer version of Millrace (format ${formatVersion}; this version reads up ` +
        `to ${ownerFormat}); start the job with the version that wrote it, or a newer one`,
    )
  }
  const started = startedFrom === undefined ? {} : { startedFrom }
  return { formatVersion, name, partitions: partitions!, instance, ...started }
}

function otherJob(directory: string, found: JobOwner, job: Pick<Job, 'name'>): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `${directory} belongs to job '${found.name}', not to job '${job.name}'; give another directory, ` +
      'remove this one to start over, or start from a savepoint of it',
  )
}

function unreadable(file: string): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `${file} cannot be parsed; give another directory, or remove this one to start over`,
  )
}

function parsed(content: string): Partial<JobOwner> {
  try {
    return (JSON.parse(content) ?? {}) as Partial<JobOwner>
  } catch {
    return {}
  }
}
