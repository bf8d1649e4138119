// The error that every decoder throws for invalid input.

export class MalformedError extends Error {
  readonly code = 'MALFORMED'
}
