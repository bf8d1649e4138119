// A job: a name and a function that builds a graph of streams. A job module exports one as its
// default; driver and executors import the same module and build the same graph, because functions
// cannot be sent between them.

import { EngineError } from '../engineError.ts'
import type { RowFormat } from '../rows/rowFormat.ts'
import type { TopicOptions } from '../sources/topicOptions.ts'
import type { DStream } from './dstream.ts'

/** Options of a job. */
export interface JobOptions {
  /**
   * Number of partitions of keys and their state; 2 by default. A change redistributes the state at
   * the next start.
   */
  readonly partitions?: number
}

/** The sources of a job's streams. */
export interface JobStream {
  /** The rows of a topic, from its first record by default. */
  fromTopic<Row>(topic: string, format: RowFormat<Row>, options?: TopicOptions): DStream<Row>
}

/** A job: the default export of a job module. */
export interface Job {
  readonly kind: 'millrace-job'
  readonly name: string
  readonly partitions: number
  /** Builds the graph. Called by the driver and by every executor. */
  build(stream: JobStream): void
}

/** Creates a job. `build` defines its streams; it runs once in each thread of the job. */
export function job(name: string, build: (stream: JobStream) => void): Job
/** Creates a job. `build` defines its streams; it runs once in each thread of the job. */
export function job(name: string, options: JobOptions, build: (stream: JobStream) => void): Job
/** Creates a job. `build` defines its streams; it runs once in each thread of the job. */
export function job(
  name: string,
  optionsOrBuild: JobOptions | ((stream: JobStream) => void),
  buildAfterOptions?: (stream: JobStream) => void,
): Job {
  const isShort = typeof optionsOrBuild === 'function'
  const options = isShort ? {} : optionsOrBuild
  const build = isShort ? optionsOrBuild : buildAfterOptions
  if (!/^[a-zA-Z0-9._-]{1,200}$/.test(name)) {
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `'${name}' is not a valid job name; use letters, digits, '.', '_' and '-'`,
    )
  }
  const partitions = options.partitions ?? 2
  if (build === undefined || !Number.isInteger(partitions) || partitions < 1 || partitions > 1024) {
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `job '${name}' needs { partitions } from 1 to 1024 and a function that builds its streams`,
    )
  }
  return { kind: 'millrace-job', name, partitions, build }
}

/** Whether a module's default export is a job, created by this or another copy of the engine. */
export function isJob(exported: unknown): exported is Job {
  return (exported as Partial<Job> | null | undefined)?.kind === 'millrace-job'
}
