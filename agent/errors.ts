// Every way in which an agent fails, in one table. A code is for programs, a message is for people
// and says what to do. Expected outcomes (an empty channel) are returned values and not in here.

export type AgentErrorCode =
  /** flume.conf, or an option of a component, cannot be used. */
  | 'CONFIGURATION'
  /** No room for a put within keep-alive: the sinks are slower than the sources. */
  | 'CHANNEL_FULL'
  /** A transaction puts or takes more events than transactionCapacity. */
  | 'TRANSACTION_CAPACITY'
  /** The file system of a file channel has less than minimumRequiredSpace left. */
  | 'CHANNEL_SPACE'
  /** The channel is stopped, was never started, or its log failed. */
  | 'CHANNEL_CLOSED'
  /** A file channel's log cannot be read back. */
  | 'CHANNEL_CORRUPT'
  /** A transaction was used out of order: Flume's IllegalStateException. */
  | 'ILLEGAL_STATE'
  /** A put does not start where the channel's last put of the same file ended. */
  | 'POSITION_GAP'
  /** A sink could not hand its events on. */
  | 'EVENT_DELIVERY'

export class AgentError extends Error {
  readonly code: AgentErrorCode
  constructor(code: AgentErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}
