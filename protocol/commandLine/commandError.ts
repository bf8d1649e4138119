// A mistake in what the user asked for. The command line shows its message alone and exits with code 1.

export class CommandError extends Error {
  readonly code = 'COMMAND'
}
