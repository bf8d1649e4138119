// The one shape of errors of the REST API: Confluent's `error_code` and `message`, with our own stable
// code and what to do beside them. The first three digits of `error_code` are the HTTP status.

import { type Static, Type } from 'typebox'

export const errorBody = Type.Object(
  {
    error_code: Type.Integer({
      description:
        "As Confluent's REST API numbers errors: the HTTP status, or the status and two digits: 40403 is an unknown topic or partition, 40002 a request that the cluster does not accept.",
    }),
    message: Type.String({ description: 'What happened, to what.' }),
    code: Type.String({
      description: "Stable name of the error, for scripts: Kafka's own name where there is one.",
    }),
    action: Type.String({ description: 'What to do about it.' }),
    request_id: Type.String({
      description: 'Names the request in the log; also in the header `x-request-id`.',
    }),
  },
  {
    description: 'An error: what happened, and what to do about it.',
    examples: [
      {
        error_code: 40403,
        message: 'UNKNOWN_TOPIC_OR_PARTITION (3): orders',
        code: 'UNKNOWN_TOPIC_OR_PARTITION',
        action: 'check the name: GET /api/v1/topics lists the topics that exist',
        request_id: '5f3a0c1e9b7d2a48',
      },
    ],
  },
)

export type ErrorBody = Static<typeof errorBody>

export class RestError extends Error {
  readonly statusCode: number
  readonly errorCode: number
  readonly code: string
  readonly action: string
  /** For the header `retry-after`, in seconds. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    errorCode: number,
    code: string,
    message: string,
    action: string,
    cause?: unknown,
    retryAfterSeconds?: number,
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.errorCode = errorCode
    this.statusCode = errorCode > 999 ? Math.floor(errorCode / 100) : errorCode
    this.code = code
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
