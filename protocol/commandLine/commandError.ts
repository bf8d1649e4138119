// An error in the arguments or the environment of a command. The command line prints its message,
// without a stack, and exits with code 1.

import { CodedError } from '../runtime/codedError.ts'

export class CommandError extends CodedError<'COMMAND'> {
  constructor(message: string, cause?: unknown) {
    super('COMMAND', message, cause)
  }
}
