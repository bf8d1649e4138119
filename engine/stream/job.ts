// A job: a name and a function that builds a graph of streams. A job module exports one by default;
// driver and executors import the same module and build the same graph, because a function cannot
// be sent from one to the other.

import { EngineError } from '../engineError.ts'
import type { RowFormat } from '../rows/rowFormat.ts'
import type { TopicOptions } from '../sources/topicOptions.ts'
import type { DStream } from './dstream.ts'

/** A job: the default export of a job module. */
export interface JobOptions {
  /**
   * Into how many partitions keys are spread, 2 unless given. State is kept by partition, so it must
   * not change while the job's directory is in use.
   */
  readonly partitions?: number
}

/** A job: the default export of a job module. */
export interface JobStream {
  /** The rows of a topic, from its first record on unless `options` say otherwise. */
  fromTopic<Row>(topic: string, format: RowFormat<Row>, options?: TopicOptions): DStream<Row>
}

/** A job: the default export of a job module. */
export interface Job {
  readonly kind: 'millrace-job'
  readonly name: string
  readonly partitions: number
  /** Builds the graph. Called by whoever runs the job. */
  build(stream: JobStream): void
}

/** Makes a job. `build` says what it does; it runs once in each thread of the job. */
export function job(name: string, build: (stream: JobStream) => void): Job
/** Makes a job. `build` says what it does; it runs once in each thread of the job. */
export function job(name: string, options: JobOptions, build: (stream: JobStream) => void): Job
/** Makes a job. `build` says what it does; it runs once in each thread of the job. */
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
      `'${name}' cannot name a job: use letters, digits, '.', '_' and '-'`,
    )
  }
  const partitions = options.partitions ?? 2
  if (build === undefined || !Number.isInteger(partitions) || partitions < 1 || partitions > 1024) {
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `job '${name}' takes { partitions } from 1 to 1024 and a function that builds its streams`,
    )
  }
  return { kind: 'millrace-job', name, partitions, build }
}

/** Whether a module's default export is a job, made by this or another copy of the engine. */
export function isJob(exported: unknown): exported is Job {
  return (exported as Partial<Job> | null | undefined)?.kind === 'millrace-job'
}
