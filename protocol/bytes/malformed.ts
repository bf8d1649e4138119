// The error that every decoder throws for invalid input.

import { CodedError } from '../runtime/codedError.ts'

export class MalformedError extends CodedError<'MALFORMED'> {
  constructor(message: string, cause?: unknown) {
    super('MALFORMED', message, cause)
  }
}
