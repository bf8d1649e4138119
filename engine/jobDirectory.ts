// A job's directory: one process has it at a time, and it belongs to one job with one number of
// partitions. State is kept by partition, so another number would look for keys where they are not.

import { join } from 'node:path'
import { DirectoryInUseError, type Disk, type DiskLock } from '../protocol/runtime/disk.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import { makeDurableDirectory } from './checkpoint/entryLog.ts'
import { EngineError } from './engineError.ts'
import type { Job } from './stream/job.ts'

export interface JobDirectory {
  readonly lock: DiskLock
  /**
   * Tells copies of a job apart that run at the same time in directories of their own. Drawn when the
   * directory is first taken; 8 hexadecimal digits.
   */
  readonly instance: string
}

/** Takes the directory, creating it when there is none. Fails when it is taken or another job's. */
export async function takeDirectory(
  { disk, random }: Pick<Runtime, 'disk' | 'random'>,
  directory: string,
  job: Job,
): Promise<JobDirectory> {
  await makeDurableDirectory(disk, directory)
  const lock = await lockDirectory(disk, directory)
  try {
    const drawn = random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, '0')
    return { lock, instance: await requireSameJob(disk, directory, job, drawn) }
  } catch (error) {
    await lock.release()
    throw error
  }
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

/** What `job.json` says. Directories of earlier versions have no instance. */
interface Owner {
  readonly name: string
  readonly partitions: number
  readonly instance?: string
}

/** Returns the directory's instance: `drawn` when it has none yet. */
async function requireSameJob(
  disk: Disk,
  directory: string,
  { name, partitions }: Job,
  drawn: string,
): Promise<string> {
  const file = join(directory, 'job.json')
  const content = (await disk.readFile(file))?.toString()
  const found = content === undefined ? undefined : parseOwner(file, content)
  if (found !== undefined && (found.name !== name || found.partitions !== partitions)) {
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `${directory} belongs to job '${found.name}' with ${found.partitions} partitions, and not to job ` +
        `'${name}' with ${partitions}: give another directory, or remove this one to start over`,
    )
  }
  if (found?.instance !== undefined) return found.instance
  const owner: Owner = { name, partitions, instance: drawn }
  await disk.writeFileAtomic(file, Buffer.from(JSON.stringify(owner)))
  return drawn
}

function parseOwner(file: string, content: string): Owner {
  const { name, partitions, instance } = (parsed(content) ?? {}) as Partial<Owner>
  const isInstance = instance === undefined || /^[0-9a-f]{8}$/.test(instance)
  if (typeof name === 'string' && typeof partitions === 'number' && isInstance) {
    return { name, partitions, ...(instance === undefined ? {} : { instance }) }
  }
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `${file} does not say whose job directory this is: give another directory, or remove this one to start over`,
  )
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return undefined
  }
}
