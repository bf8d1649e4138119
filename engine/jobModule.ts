// Finds and imports a job module, and says which job it is: by the graph that it builds and by the
// bytes of its file. What can be wrong with a user's module ends in one clear sentence.

import { createHash } from 'node:crypto'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Disk } from '../protocol/runtime/disk.ts'
import { EngineError } from './engineError.ts'
import { isJob, type Job } from './stream/job.ts'
import type { StreamGraph } from './stream/streamGraph.ts'

export interface LoadedJob {
  readonly job: Job
  readonly moduleUrl: string
  /** SHA-256 of the module's file, in hexadecimal. */
  readonly contentHash: string
}

/** `module` is a file's path, or its URL. */
export async function loadJob(
  disk: Pick<Disk, 'readFile'>,
  module: URL | string,
): Promise<LoadedJob> {
  const file = pathOf(module)
  const content = await disk.readFile(file)
  if (content === undefined) {
    throw new EngineError('JOB_MODULE_MISSING', `there is no job module ${file}`)
  }
  const moduleUrl = pathToFileURL(file).href
  const { default: job } = await importModule(moduleUrl, file)
  if (!isJob(job)) {
    throw new EngineError(
      'JOB_MODULE_INVALID',
      `${file} does not export a job: end it with \`export default job('name', (stream) => ...)\``,
    )
  }
  return { job, moduleUrl, contentHash: createHash('sha256').update(content).digest('hex') }
}

/** Equal in driver and executors exactly when they run the same job. */
export function fingerprint(graph: StreamGraph, contentHash: string): string {
  return createHash('sha256').update(`${contentHash}\n${graph.describe()}`).digest('hex')
}

async function importModule(moduleUrl: string, file: string): Promise<{ default?: unknown }> {
  try {
    return (await import(moduleUrl)) as { default?: unknown }
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
    throw new EngineError('JOB_MODULE_INVALID', `${file} cannot be imported: ${reason}`, cause)
  }
}

/** The file of a module that is given as its path or its URL. */
export function pathOf(module: URL | string): string {
  const isUrl = module instanceof URL || module.startsWith('file:')
  return isUrl ? fileURLToPath(module) : module
}
