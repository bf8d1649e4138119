// The errors of starting the console. Each message says what the user can do.

import { CodedError } from '../../protocol/runtime/codedError.ts'

export type ConsoleErrorCode = 'NOT_LOOPBACK'

export class ConsoleError extends CodedError<ConsoleErrorCode> {}
