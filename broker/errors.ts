// The table of the broker's operational failures: what went wrong, and what the user can do. What a
// client did wrong is no failure of the broker: that is a Kafka error code in a response.

export type BrokerErrorCode =
  | 'CONFIGURATION_MISSING'
  | 'CONFIGURATION_INVALID'
  | 'SECURITY_UNSUPPORTED'
  | 'METADATA_CORRUPT'
  | 'COORDINATOR_LOAD_FAILED'

/** An operational failure. The message is one line, for people, and says what to do. */
export class BrokerError extends Error {
  readonly code: BrokerErrorCode
  constructor(code: BrokerErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
