// An error in the arguments or the environment of a command. The command line prints its message,
// without a stack, and exits with code 1.

export class CommandError extends Error {
  readonly code = 'COMMAND'
}
