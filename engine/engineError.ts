// Every operational failure of the engine, with the code by which callers tell them apart. A message
// says what went wrong and what the user can do; it never stands for a broken invariant (assert).

import { CodedError } from '../protocol/runtime/codedError.ts'

export type EngineErrorCode =
  | 'JOB_MODULE_MISSING'
  | 'JOB_MODULE_INVALID'
  | 'JOB_MODULE_CHANGED'
  | 'JOB_TYPE_ERROR'
  | 'JOB_GRAPH_INVALID'
  | 'JOB_OPTION_INVALID'
  | 'JOB_ALREADY_RUNNING'
  /** The code has changed so that the state cannot be continued safely. */
  | 'JOB_CHANGED'
  /** A state that committed batches have changed is not in the job's directory any more. */
  | 'STATE_MISSING'
  | 'JOB_NAME_TAKEN'
  /** No job of this name, or more than one, or none that can be asked from here. */
  | 'JOB_UNKNOWN'
  | 'JOB_UNREACHABLE'
  | 'SAVEPOINT_INVALID'
  /** The bytes of a record, or of its batch, are not what they have to be. */
  | 'RECORD_INVALID'
  /** A function of the job threw; the message says at which record or key, where that is known. */
  | 'USER_CODE_FAILED'
  /** A value that a task made cannot go to another thread. */
  | 'TASK_FAILED'
  | 'TASK_TIMED_OUT'
  | 'STAGE_FAILED'
  | 'FETCH_FAILED'
  | 'EXECUTOR_FAILED'
  | 'EXECUTOR_OUT_OF_MEMORY'
  /** The batch took longer than it may. */
  | 'BATCH_TIMED_OUT'
  | 'OFFSETS_LOST'
  | 'TOPIC_RECREATED'
  /** A state cannot be read while its job runs: it does not exist, is not kept, or cannot be reached. */
  | 'STATE_QUERY_FAILED'
  /** A state or a view got a value that it cannot keep. */
  | 'STATE_INVALID'
  | 'VIEW_INVALID'
  | 'RESULT_TOO_LARGE'
  /** More records were rejected than a batch can keep for their dead letter topic. */
  | 'REJECTED_TOO_MANY'
  /** The test kit was asked for what a test cannot do. */
  | 'TEST_INVALID'
  /** A history of failures led a job to another result than it has without them. */
  | 'TEST_DIFFERS'
  /** A dead letter topic does not exist, or cannot be written to. */
  | 'DEAD_LETTERS_FAILED'

/**
 * Failures that the same task would meet again: trying it again could only delay the message, and
 * repeat it in the log.
 */
const permanentCodes: ReadonlySet<string | undefined> = new Set<EngineErrorCode>([
  'JOB_GRAPH_INVALID',
  'TASK_FAILED',
  'OFFSETS_LOST',
  'TOPIC_RECREATED',
  'STATE_INVALID',
  'RESULT_TOO_LARGE',
  'REJECTED_TOO_MANY',
])

export class EngineError extends CodedError<EngineErrorCode> {
  /** The message without data of the user, for a page that more people see than the log. */
  readonly publicMessage: string

  constructor(code: EngineErrorCode, message: string, cause?: unknown, publicMessage = message) {
    super(code, message, cause)
    this.publicMessage = publicMessage
  }
}

/** `found` says which topic is which. */
export function topicRecreated(found: string, cause?: unknown): EngineError {
  return new EngineError(
    'TOPIC_RECREATED',
    `${found}: what this job has counted is of the deleted one. To count the new topic from its ` +
      "beginning, start the job in a new directory, or remove the job's directory, which removes its state",
    cause,
  )
}

/** What an error looks like between threads: structured clone keeps neither class nor code. */
export interface ErrorReport {
  readonly message: string
  readonly publicMessage?: string | undefined
  readonly name?: string | undefined
  readonly stack?: string | undefined
  readonly code?: string | undefined
  readonly cause?: ErrorReport | undefined
}

/** Causes of causes that a report carries. */
const mostCauses = 5

export function reportError(error: unknown, causes = mostCauses): ErrorReport {
  if (!(error instanceof Error)) return { message: printed(error) }
  const { message, name, stack, cause } = error
  const code = (error as { code?: unknown }).code
  return {
    message,
    name,
    stack,
    publicMessage: error instanceof EngineError ? error.publicMessage : undefined,
    code: typeof code === 'string' ? code : undefined,
    cause: cause === undefined || causes === 0 ? undefined : reportError(cause, causes - 1),
  }
}

/** The error of a report: its cause, and the causes of that, have the stacks of where they happened. */
export function errorOf(report: ErrorReport): EngineError {
  const { message, publicMessage, code, cause } = report
  const original = cause === undefined ? plainError(report) : plainError(cause)
  return new EngineError(
    (code ?? 'STAGE_FAILED') as EngineErrorCode,
    message,
    original,
    publicMessage,
  )
}

export function isPermanent({ code }: ErrorReport): boolean {
  return permanentCodes.has(code)
}

function plainError({ message, name, stack, cause }: ErrorReport): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause: plainError(cause) })
  if (name !== undefined) error.name = name
  if (stack !== undefined) error.stack = stack
  return error
}

/** A job may throw anything, even what has no text. */
function printed(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'a value that cannot be printed was thrown'
  }
}
