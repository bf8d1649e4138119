// Every operational failure of the engine, with the code by which callers tell them apart. A message
// says what went wrong and what the user can do; it never stands for a broken invariant (assert).

export type EngineErrorCode =
  | 'JOB_MODULE_MISSING'
  | 'JOB_MODULE_INVALID'
  | 'JOB_MODULE_CHANGED'
  | 'JOB_TYPE_ERROR'
  | 'JOB_GRAPH_INVALID'
  | 'JOB_ALREADY_RUNNING'
  | 'TASK_FAILED'
  | 'STAGE_FAILED'
  | 'FETCH_FAILED'
  | 'EXECUTOR_FAILED'
  | 'OFFSETS_LOST'
  | 'RESULT_TOO_LARGE'

export class EngineError extends Error {
  readonly code: EngineErrorCode
  constructor(code: EngineErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** What an error looks like between threads: structured clone keeps neither class nor code. */
export interface ErrorReport {
  readonly message: string
  readonly stack?: string | undefined
  readonly code?: string | undefined
}

export function reportError(error: unknown): ErrorReport {
  if (!(error instanceof Error)) return { message: String(error) }
  const code = (error as { code?: unknown }).code
  return {
    message: error.message,
    stack: error.stack,
    code: typeof code === 'string' ? code : undefined,
  }
}
