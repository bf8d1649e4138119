// Whether a log can be written and read, and why not. Lack of room may pass; what a disk that failed, or
// damage, has done to a log is found out by the next start at the earliest. A log that is only damaged,
// or could not be written, can still be read; one whose data directory has failed cannot.

import type { Logger } from '../../protocol/telemetry/logger.ts'
import {
  isDamage,
  isPassing,
  type LogError,
  passingFailure,
  readFailed,
  writeFailed,
} from './logError.ts'

export interface LogHealthOptions {
  readonly logger: () => Logger
  /** Where the log is written now, for its errors. */
  readonly path: () => string
  /** Told of what the disk has refused, which may concern the whole data directory. */
  readonly noticed: ((cause: unknown) => void) | undefined
  /** Nothing more is to be written, until there is room or, `forGood`, at all. */
  readonly stop: (forGood: boolean) => void
}

export class LogHealth {
  readonly #options: LogHealthOptions
  #offline: LogError | undefined
  /** Set while there was no room for what was to be written. */
  #full: LogError | undefined
  #isAbandoned = false

  constructor(options: LogHealthOptions) {
    this.#options = options
  }

  /** Why the log takes no writes; undefined when it does. */
  get failure(): LogError | undefined {
    return this.#offline ?? this.#full
  }

  /** It waits for nothing but room. */
  get isFull(): boolean {
    return this.#full !== undefined && this.#offline === undefined
  }

  /** A write has failed. */
  writeFailed(cause: unknown): void {
    if (isPassing(cause)) this.#refused(cause)
    else this.failed(cause)
  }

  regained(): void {
    this.#full = undefined
  }

  /** What the files hold is not known any more. */
  failed(cause: unknown): void {
    if (this.#offline) return
    this.#options.noticed?.(cause)
    const failure = writeFailed(this.#options.path(), cause)
    this.#goOffline(failure, 'the log failed and takes no writes')
  }

  damaged(damage: LogError): void {
    this.#goOffline(damage, 'the log is damaged and takes no writes')
  }

  /** Something went wrong that was not a write of the log's own. */
  noticed(cause: unknown): void {
    if (isDamage(cause)) this.damaged(cause)
    else this.#options.noticed?.(cause)
  }

  /** The data directory has failed, which is told of once for all its logs. */
  abandoned(failure: LogError): void {
    this.#isAbandoned = true
    this.#offline = failure
    this.#options.stop(true)
  }

  /** Why a read has failed, as its caller is to be told. */
  readFailed(cause: unknown, directory: string): unknown {
    this.noticed(cause)
    return readFailed(directory, cause) ?? cause
  }

  /** Throws why it is not. */
  mustBeReadable(): void {
    if (this.#isAbandoned) throw this.#offline!
  }

  #refused(cause: unknown): void {
    if (this.#offline) return
    const { logger, path, stop } = this.#options
    stop(false)
    // It is tried again and again, and told of once.
    if (this.#full) return
    this.#full = passingFailure(path(), cause)
    logger().error({ error: this.#full }, 'the log takes no writes until there is room')
  }

  #goOffline(failure: LogError, message: string): void {
    // Perhaps already as a consequence of the same, with the whole directory.
    if (this.#offline) return
    this.#offline = failure
    this.#options.logger().error({ error: failure }, message)
    this.#options.stop(true)
  }
}
