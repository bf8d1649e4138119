// A mistake of the user. The command line prints only its message and exits with code 1.

export class CommandError extends Error {
  readonly code = 'COMMAND'
}
