// The table of the broker's operational failures: what went wrong, and what the user can do. What a
// client did wrong is no failure of the broker: that is a Kafka error code in a response.

import { CodedError } from '../protocol/runtime/codedError.ts'

/** Why a broker failed. */
export type BrokerErrorCode =
  | 'CONFIGURATION_MISSING'
  | 'CONFIGURATION_INVALID'
  | 'SECURITY_UNSUPPORTED'
  | 'METADATA_CORRUPT'
  /** The metadata log was written by a later release. */
  | 'METADATA_UNSUPPORTED'
  /** The metadata log cannot be written or read any more. */
  | 'METADATA_FAILED'
  /** A change of metadata was not made, or it is not known yet whether it was. */
  | 'METADATA_UNAVAILABLE'
  /** A coordinator's topic cannot be created now. */
  | 'COORDINATOR_UNAVAILABLE'
  | 'COORDINATOR_LOAD_FAILED'

/** An operational failure. The message is one line, for people, and says what to do. */
export class BrokerError extends CodedError<BrokerErrorCode> {}
