// The requests that a job's address can make of the job, in this thread or another. Every answer is
// plain JSON, so that it can be sent between threads whatever the job's state contains.

import { CodedError } from '../../protocol/runtime/codedError.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import type {
  JobDescription,
  RunningJob,
  SavepointReport,
  StateRequest,
  StopOptions,
} from '../lifecycle/runningJob.ts'
import type { JobFigures } from '../metrics/jobFigures.ts'
import { ShownValues } from './shownValue.ts'

export interface JobAnswers {
  readonly status: JobStatus
  readonly figures: JobFigures
  readonly describe: JobDescription
  readonly state: ShownStatePage
  readonly savepoint: SavepointReport
}

export interface JobArguments {
  readonly status: undefined
  readonly figures: undefined
  readonly describe: undefined
  readonly state: StateRequest
  readonly savepoint: { readonly target: string }
}

export type JobMethod = keyof JobAnswers

/** A page of a state, with its values as JSON. */
export interface ShownStatePage {
  readonly operator: string
  readonly batchId: number
  readonly entries: readonly ShownStateEntry[]
  readonly after?: string | undefined
}

export type ShownStateEntry =
  | { readonly key: Key; readonly found: true; readonly value: unknown }
  | { readonly key: Key; readonly found: false }

export interface ServedJob {
  readonly name: string
  /** Id of its status: `job/<name>/<instance>`. */
  readonly id: string
  /**
   * Rejects with an EngineError of the job, or with a JobAddressError when the job does not answer.
   */
  call<Method extends JobMethod>(
    method: Method,
    argument: JobArguments[Method],
  ): Promise<JobAnswers[Method]>
  /** Stops the job gracefully, without waiting for its end. */
  stop(options: StopOptions): void
  /** Ends the job at once, without waiting; the running batch is rerun at the next start. */
  kill(): void
}

/** Error codes of an address (`error` in the response), with their HTTP status. */
const refusals = {
  REQUEST_INVALID: 400,
  NOT_FOUND: 404,
  OTHER_JOB: 409,
  SAVEPOINT_RUNNING: 409,
  NOT_SUPPORTED: 501,
  TOO_MANY_REQUESTS: 503,
  JOB_NOT_READY: 503,
  DRIVER_HELD: 503,
} as const

export type Refusal = keyof typeof refusals

export class JobAddressError extends CodedError<Refusal> {
  readonly status: number

  constructor(code: Refusal, message: string) {
    super(code, message)
    this.status = refusals[code]
  }
}

/** Restores the error of an answer from another thread, which has only its code. */
export function refusalOf(code: string | undefined, message: string): JobAddressError | undefined {
  return code !== undefined && Object.hasOwn(refusals, code)
    ? new JobAddressError(code as Refusal, message)
    : undefined
}

/** Answers for a job in this thread. */
export async function answer<Method extends JobMethod>(
  job: RunningJob,
  method: Method,
  argument: JobArguments[Method],
): Promise<JobAnswers[Method]> {
  const answers: { [M in JobMethod]: (argument: JobArguments[M]) => Promise<JobAnswers[M]> } = {
    status: async () => job.status(),
    figures: async () => job.figures(),
    describe: async () => job.describe(),
    state: (request) => statePage(job, request),
    savepoint: ({ target }) => savepoint(job, target),
  }
  return await answers[method](argument)
}

async function statePage(job: RunningJob, request: StateRequest): Promise<ShownStatePage> {
  const { operator, keys } = request
  requireOperator(job, operator)
  if (!job.queryState) throw notSupported(job, 'report its state while it runs')
  const page = await job.queryState(request)
  const shown = new ShownValues()
  const entries = page.entries.map(({ key, value }): ShownStateEntry => {
    if (value === undefined && keys !== undefined) return { key, found: false }
    return { key, found: true, value: shown.of(value) }
  })
  const { batchId, after } = page
  return { operator, batchId, entries, ...(after === undefined ? {} : { after }) }
}

function requireOperator(job: RunningJob, uid: string): void {
  const { operators } = job.describe()
  if (operators.some((operator) => operator.uid === uid)) return
  const known = operators.map((operator) => operator.uid).join(', ')
  const which = known === '' ? 'it has none' : `it has: ${known}`
  throw new JobAddressError(
    'NOT_FOUND',
    `job ${job.name} has no stateful operator with uid '${uid}'; ${which}`,
  )
}

async function savepoint(job: RunningJob, target: string): Promise<SavepointReport> {
  if (!job.savepoint) throw notSupported(job, 'write a savepoint while it runs')
  return await job.savepoint(target)
}

function notSupported({ name }: RunningJob, what: string): JobAddressError {
  return new JobAddressError('NOT_SUPPORTED', `job ${name} cannot ${what}`)
}

/** A job in this thread, as seen by its address. */
export function servedHere(job: RunningJob): ServedJob {
  const stop = (options: StopOptions) => {
    // A failure is reported to the caller that awaits `finished`.
    job.stop(options).catch(() => {})
  }
  return {
    name: job.name,
    id: job.status().id,
    call: (method, argument) => answer(job, method, argument),
    stop,
    kill: () => stop({ graceful: false }),
  }
}

/** Returns the HTTP status for an error of a job. */
export function httpStatus(error: unknown): number {
  if (error instanceof JobAddressError) return error.status
  if (!(error instanceof EngineError)) return 500
  switch (error.code) {
    case 'SAVEPOINT_INVALID':
    case 'STATE_QUERY_FAILED':
    case 'JOB_OPTION_INVALID':
      return 400
    case 'EXECUTOR_FAILED':
      return 503
    default:
      return 500
  }
}
