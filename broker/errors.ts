// The error table of the broker: what went wrong, and what the user can do. A mistake of a client
// is not a failure of the broker, but a Kafka error code in a response.

import { CodedError } from '../protocol/runtime/codedError.ts'

/** Why a broker failed. */
export type BrokerErrorCode =
  | 'CONFIGURATION_MISSING'
  | 'CONFIGURATION_INVALID'
  | 'SECURITY_UNSUPPORTED'
  | 'METADATA_CORRUPT'
  /** The metadata log was written by a later release. */
  | 'METADATA_UNSUPPORTED'
  /** The metadata were moved to the coordination of a cluster. */
  | 'METADATA_MOVED'
  /** The metadata log can no longer be written or read. */
  | 'METADATA_FAILED'
  /** A metadata change was not made, or its outcome is not known yet. */
  | 'METADATA_UNAVAILABLE'
  /** The topic of a coordinator cannot be created at the moment. */
  | 'COORDINATOR_UNAVAILABLE'
  | 'COORDINATOR_LOAD_FAILED'

/** An operational failure. The message is one line, and says what the user can do. */
export class BrokerError extends CodedError<BrokerErrorCode> {}
