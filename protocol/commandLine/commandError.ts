// A mistake of the user. The command line prints the message alone and exits with code 1.

export class CommandError extends Error {
  readonly code = 'COMMAND'
}
