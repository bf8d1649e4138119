// A job's directory: one process has it at a time, and it belongs to one job with one number of
// partitions. State is kept by partition, so another number would look for keys where they are not.

import { join } from 'node:path'
import { DirectoryInUseError, type Disk, type DiskLock } from '../protocol/runtime/disk.ts'
import { EngineError } from './engineError.ts'
import type { Job } from './stream/job.ts'

/** Takes the directory, creating it when there is none. Fails when it is taken or another job's. */
export async function takeDirectory(disk: Disk, directory: string, job: Job): Promise<DiskLock> {
  await disk.makeDirectory(directory)
  const lock = await lockDirectory(disk, directory)
  try {
    await requireSameJob(disk, directory, job)
    return lock
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

async function requireSameJob(disk: Disk, directory: string, job: Job): Promise<void> {
  const file = join(directory, 'job.json')
  const written = JSON.stringify({ name: job.name, partitions: job.partitions })
  const found = (await disk.readFile(file))?.toString()
  if (found === written) return
  if (found === undefined) return await disk.writeFileAtomic(file, Buffer.from(written))
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `${directory} belongs to the job ${found} and not to ${written}: give another directory, or ` +
      'remove this one to start over',
  )
}
