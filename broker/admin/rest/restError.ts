// The error of the REST API: Confluent's `error_code` and `message`, and in addition a stable code
// and an action. Invariant: the first three digits of `error_code` are the HTTP status.

import { CodedError } from '../../../protocol/runtime/codedError.ts'
import type { ErrorBody } from './errorAnswers.ts'

export class RestError extends CodedError {
  readonly statusCode: number
  readonly errorCode: number
  readonly action: string
  /** Value of the header `retry-after`, in seconds. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    errorCode: number,
    code: string,
    message: string,
    action: string,
    cause?: unknown,
    retryAfterSeconds?: number,
  ) {
    super(code, message, cause)
    this.errorCode = errorCode
    this.statusCode = errorCode > 999 ? Math.floor(errorCode / 100) : errorCode
    this.action = action
    this.retryAfterSeconds = retryAfterSeconds
  }

  body(requestId: string): ErrorBody {
    return {
      error_code: this.errorCode,
      message: this.message,
      code: this.code,
      action: this.action,
      request_id: requestId,
    }
  }
}
