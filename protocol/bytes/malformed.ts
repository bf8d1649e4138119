// What every decoder throws for input that cannot be what it claims to be.

export class MalformedError extends Error {
  readonly code = 'MALFORMED'
}
