// A refused HTTP request: a stable code, a message, and the HTTP status of the code.

import { CodedError } from '../runtime/codedError.ts'

export const refusalStatus = {
  REQUEST_INVALID: 400,
  LOG_LEVEL_INVALID: 400,
  HOST_REFUSED: 403,
  ORIGIN_REFUSED: 403,
  NOT_LOCAL: 403,
  NOT_FOUND: 404,
  INTERNAL: 500,
} as const

export type RefusalCode = keyof typeof refusalStatus

export class HttpRefusal extends CodedError<RefusalCode> {
  readonly status: number

  constructor(code: RefusalCode, message: string) {
    super(code, message)
    this.status = refusalStatus[code]
  }
}
