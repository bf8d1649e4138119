// A job's directory: one process has it at a time, and it belongs to one job. Its job.json says whose it is
// and into how many partitions its state is spread: state of another number, or of an earlier format, has
// to be reshaped before the job runs (see savepoint/prepareDirectory).

import { join } from 'node:path'
import { DirectoryInUseError, type Disk, type DiskLock } from '../protocol/runtime/disk.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import { finishChange } from './checkpoint/directoryChange.ts'
import { makeDurableDirectory } from './checkpoint/entryLog.ts'
import { EngineError } from './engineError.ts'
import type { Job } from './stream/job.ts'

export interface JobDirectory {
  readonly path: string
  readonly lock: DiskLock
  readonly owner: JobOwner
  /**
   * Tells copies of a job apart that run at the same time in directories of their own. Drawn when the
   * directory is first taken; 8 hexadecimal digits.
   */
  readonly instance: string
}

/** What `job.json` says. */
export interface JobOwner {
  /** 1, also where it is missing: state by JSON text and by the hash of the key. 2: by key group. */
  readonly formatVersion: number
  readonly name: string
  /** Of the state that is there. */
  readonly partitions: number
  /** Directories of the first releases have none until they are taken. */
  readonly instance: string
  /** Of the savepoint that the job was started from. */
  readonly startedFrom?: string | undefined
}

export const ownerFile = 'job.json'
export const stateFolder = 'state'
export const offsetsFile = join('checkpoint', 'offsets')
export const commitsFile = join('checkpoint', 'commits')
export const ownerFormat = 2

/**
 * Takes the directory, creating it when there is none, and ends a change of it that was broken off. Fails
 * when it is taken or another job's.
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

/** Takes the directory of a job that does not run, whatever its code. Fails when there is none. */
export async function takeStopped(disk: Disk, directory: string): Promise<JobDirectory> {
  if ((await disk.stat(join(directory, ownerFile))) === undefined) {
    throw new EngineError(
      'JOB_OPTION_INVALID',
      `${directory} is no directory of a job: it has no ${ownerFile}`,
    )
  }
  return await locked(disk, directory, async (lock) => {
    const owner = await readOwner(disk, directory)
    if (owner === undefined) throw unreadable(join(directory, ownerFile))
    return { path: directory, lock, owner, instance: owner.instance }
  })
}

/** Runs `use` with the directory locked; keeps the lock when that succeeds. */
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

/** Undefined when the directory is nobody's yet. */
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
    const message = `the job in ${directory} is running already: stop it first, or give another directory`
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
        `to ${ownerFormat}): start the job with the version that wrote it, or a newer one`,
    )
  }
  const started = startedFrom === undefined ? {} : { startedFrom }
  return { formatVersion, name, partitions: partitions!, instance, ...started }
}

function otherJob(directory: string, found: JobOwner, job: Pick<Job, 'name'>): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `${directory} belongs to job '${found.name}', and not to job '${job.name}': give another directory, ` +
      'remove this one to start over, or start from a savepoint of it',
  )
}

function unreadable(file: string): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `${file} does not say whose job directory this is: give another directory, or remove this one to start over`,
  )
}

function parsed(content: string): Partial<JobOwner> {
  try {
    return (JSON.parse(content) ?? {}) as Partial<JobOwner>
  } catch {
    return {}
  }
}
