/** A mistake that the user at the command line can correct. */
export class GateError extends Error {
  readonly code = 'USAGE'
}
