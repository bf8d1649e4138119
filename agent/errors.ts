// The table of the agent's operational failures. A code is for programs; a message is for people
// and says what to do. Expected outcomes (an empty channel) are return values, not errors.

import { CodedError } from '../protocol/runtime/codedError.ts'

/** Why an agent failed. */
export type AgentErrorCode =
  /** flume.conf, or an option of a component, is invalid. */
  | 'CONFIGURATION'
  /** The channel had no room for a put within keep-alive: its sinks are slower than its sources. */
  | 'CHANNEL_FULL'
  /** A transaction put or took more events than transactionCapacity. */
  | 'TRANSACTION_CAPACITY'
  /** The file system of a file channel is full, or has less than minimumRequiredSpace left. */
  | 'CHANNEL_SPACE'
  /** A file channel failed to write its log; the next put or prepare retries. */
  | 'CHANNEL_WRITE'
  /** The channel is stopped, or was never started. */
  | 'CHANNEL_CLOSED'
  /** The log of a file channel is corrupt or incomplete. */
  | 'CHANNEL_CORRUPT'
  /** A transaction was used out of order: Flume's IllegalStateException. */
  | 'ILLEGAL_STATE'
  /** A put starts beyond the end of the channel's last put of the same file: bytes are missing. */
  | 'POSITION_GAP'
  /** A sink failed to deliver its events. */
  | 'EVENT_DELIVERY'

/** An operational failure of an agent. The message says what to do. */
export class AgentError extends CodedError<AgentErrorCode> {}
