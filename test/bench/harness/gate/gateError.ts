/** Something that the person at the command line can mend. */
export class GateError extends Error {
  readonly code = 'USAGE'
}
