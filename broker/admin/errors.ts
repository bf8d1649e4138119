// What can go wrong when the console is started, each with what the user can do about it.

import { CodedError } from '../../protocol/runtime/codedError.ts'

export type ConsoleErrorCode = 'NOT_LOOPBACK'

export class ConsoleError extends CodedError<ConsoleErrorCode> {}
