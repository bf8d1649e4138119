// The errors of starting the console. Each message says what the user can do.

export type ConsoleErrorCode = 'NOT_LOOPBACK'

export class ConsoleError extends Error {
  readonly code: ConsoleErrorCode
  constructor(code: ConsoleErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}
