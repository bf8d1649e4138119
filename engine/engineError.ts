// The operational errors of the engine, each with a code. A message says what happened and what the
// user can do. It must never stand for a broken invariant (use assert).

import { CodedError } from '../protocol/runtime/codedError.ts'

export type EngineErrorCode =
  | 'JOB_MODULE_MISSING'
  | 'JOB_MODULE_INVALID'
  | 'JOB_MODULE_CHANGED'
  | 'JOB_TYPE_ERROR'
  | 'JOB_GRAPH_INVALID'
  | 'JOB_OPTION_INVALID'
  | 'JOB_ALREADY_RUNNING'
  /** The code has changed in a way that its state cannot be continued safely. */
  | 'JOB_CHANGED'
  /** The state of a committed batch is missing from the job's directory. */
  | 'STATE_MISSING'
  | 'JOB_NAME_TAKEN'
  /** No job of this name, several of them, or none that can be reached from here. */
  | 'JOB_UNKNOWN'
  | 'JOB_UNREACHABLE'
  | 'SAVEPOINT_INVALID'
  /** The bytes of a record, or of its batch, are malformed. */
  | 'RECORD_INVALID'
  /** A function of the job threw; the message names the record or key, if known. */
  | 'USER_CODE_FAILED'
  /** A value of a task cannot be sent to another thread. */
  | 'TASK_FAILED'
  | 'TASK_TIMED_OUT'
  | 'STAGE_FAILED'
  | 'FETCH_FAILED'
  | 'EXECUTOR_FAILED'
  | 'EXECUTOR_OUT_OF_MEMORY'
  /** The batch exceeded its time limit. */
  | 'BATCH_TIMED_OUT'
  | 'OFFSETS_LOST'
  | 'TOPIC_RECREATED'
  /**
   * A state cannot be read while its job runs: it does not exist, is no longer kept, or cannot be
   * reached.
   */
  | 'STATE_QUERY_FAILED'
  /** A state or a view received a value that it cannot store. */
  | 'STATE_INVALID'
  | 'VIEW_INVALID'
  | 'RESULT_TOO_LARGE'
  /** More records were rejected than a batch can hold for their dead letter topic. */
  | 'REJECTED_TOO_MANY'
  /** The test kit does not support the request. */
  | 'TEST_INVALID'
  /** A history of failures led a job to another result than a run without failures. */
  | 'TEST_DIFFERS'
  /** A dead letter topic does not exist, or cannot be written. */
  | 'DEAD_LETTERS_FAILED'

/**
 * Errors that a retry of the same task would meet again: a retry would only delay the message, and
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

/** `found` names both topics. */
export function topicRecreated(found: string, cause?: unknown): EngineError {
  return new EngineError(
    'TOPIC_RECREATED',
    `${found}. The job's state was computed from the deleted topic. To read the new topic from its ` +
      "beginning, start the job in a new directory, or remove the job's directory, which removes its state",
    cause,
  )
}

/** An error as sent between threads: structured clone preserves neither class nor code. */
export interface ErrorReport {
  readonly message: string
  readonly publicMessage?: string | undefined
  readonly name?: string | undefined
  readonly stack?: string | undefined
  readonly code?: string | undefined
  readonly cause?: ErrorReport | undefined
}

/** Maximum depth of causes in a report. */
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

/** Restores an error from a report; its causes keep their original stacks. */
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

/** A job may throw any value, including one without a string form. */
function printed(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'a value that cannot be printed was thrown'
  }
}
