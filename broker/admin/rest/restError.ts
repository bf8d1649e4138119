// The one shape of errors of the REST API: Confluent's `error_code` and `message`, with our own stable
// code and what to do beside them. The first three digits of `error_code` are the HTTP status.

import { Type } from 'typebox'

export const errorBody = Type.Object({
  /** As Confluent numbers them: 40403 is an unknown topic or partition, 40002 a malformed request. */
  error_code: Type.Integer(),
  /** What happened, to what. */
  message: Type.String(),
  /** `UNKNOWN_TOPIC_OR_PARTITION`: stable, for scripts. */
  code: Type.String(),
  /** What to do about it. */
  action: Type.String(),
  /** Of the log line that tells more, and of the header `x-request-id`. */
  request_id: Type.String(),
})

export class RestError extends Error {
  readonly statusCode: number
  readonly errorCode: number
  readonly code: string
  readonly action: string

  constructor(errorCode: number, code: string, message: string, action: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.errorCode = errorCode
    this.statusCode = errorCode > 999 ? Math.floor(errorCode / 100) : errorCode
    this.code = code
    this.action = action
  }
}
