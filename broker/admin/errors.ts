// What can go wrong when the console is started, each with what the user can do about it.

export type ConsoleErrorCode = 'NOT_LOOPBACK'

export class ConsoleError extends Error {
  readonly code: ConsoleErrorCode
  constructor(code: ConsoleErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}
