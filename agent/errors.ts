// The table of the agent's operational failures. A code is for programs; a message is for people and says
// what to do. Expected outcomes (an empty channel) are returned values and not errors.

import { CodedError } from '../protocol/runtime/codedError.ts'

/** Why an agent failed. */
export type AgentErrorCode =
  /** flume.conf, or an option of a component, cannot be used. */
  | 'CONFIGURATION'
  /** No room for a put within keep-alive: the sinks are slower than the sources. */
  | 'CHANNEL_FULL'
  /** A transaction puts or takes more events than transactionCapacity. */
  | 'TRANSACTION_CAPACITY'
  /** The file system of a file channel is full, or has less than minimumRequiredSpace left. */
  | 'CHANNEL_SPACE'
  /** A file channel failed to write its log; it retries when the next event is put or taken. */
  | 'CHANNEL_WRITE'
  /** The channel is stopped, or was never started. */
  | 'CHANNEL_CLOSED'
  /** A file channel's log cannot be read back. */
  | 'CHANNEL_CORRUPT'
  /** A transaction was used out of order: Flume's IllegalStateException. */
  | 'ILLEGAL_STATE'
  /** A put does not start where the channel's last put of the same file ended. */
  | 'POSITION_GAP'
  /** A sink failed to deliver its events. */
  | 'EVENT_DELIVERY'

/** A failure of an agent. The message says what to do. */
export class AgentError extends CodedError<AgentErrorCode> {}
