// Finds and imports a job module, and computes the job's fingerprint from its graph and the version
// of its code. Every mistake in a user's module must end in one clear sentence.

import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import type { Disk } from '../protocol/runtime/disk/disk.ts'
import { type ImportedModule, importRecorded } from './contract/codeRecorder.ts'
import type { CodeSnapshot } from './contract/codeSnapshot.ts'
import { nativeImport } from './contract/nativeImport.ts'
import { EngineError } from './engineError.ts'
import { pathOf } from './modulePath.ts'
import { isJob, type Job } from './stream/job.ts'
import type { StreamGraph } from './stream/streamGraph.ts'

export interface LoadedJob {
  readonly job: Job
  readonly moduleUrl: string
  /** The sources of all that the module imports. */
  readonly code: CodeSnapshot
}

/** `module`: path or URL of a file. For the driver; executors run its snapshot of the code. */
export async function loadJob(
  disk: Pick<Disk, 'readFile'>,
  module: URL | string,
): Promise<LoadedJob> {
  const file = pathOf(module)
  await requireFile(disk, file)
  const moduleUrl = pathToFileURL(file).href
  const { exports, code } = await importModule(file, () => importRecorded(disk, moduleUrl))
  return { job: jobOf(exports, file), moduleUrl, code }
}

async function requireFile(disk: Pick<Disk, 'readFile'>, file: string): Promise<void> {
  try {
    if ((await disk.readFile(file)) !== undefined) return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error
    const message = `${file} is a directory; give the file of a job module in it`
    throw new EngineError('JOB_MODULE_MISSING', message, error)
  }
  throw new EngineError('JOB_MODULE_MISSING', `job module ${file} does not exist`)
}

/** Returns the job of a snapshot that this thread serves (see serveSnapshot). For executors. */
export async function importJob({ moduleUrl }: CodeSnapshot): Promise<Job> {
  const file = pathOf(moduleUrl)
  return jobOf(await importModule(file, () => nativeImport(moduleUrl)), file)
}

function jobOf({ default: job }: ImportedModule['exports'], file: string): Job {
  if (isJob(job)) return job
  throw new EngineError(
    'JOB_MODULE_INVALID',
    `${file} does not export a job; end it with \`export default job('name', (stream) => ...)\``,
  )
}

/**
 * Equal in driver and executors if and only if they run the same job. `code`: version of its code.
 */
export function fingerprint(graph: StreamGraph, code: string): string {
  return createHash('sha256').update(`${code}\n${graph.describe()}`).digest('hex')
}

async function importModule<T>(file: string, imported: () => Promise<T>): Promise<T> {
  try {
    return await imported()
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
    throw new EngineError('JOB_MODULE_INVALID', `cannot import ${file}: ${reason}`, cause)
  }
}
