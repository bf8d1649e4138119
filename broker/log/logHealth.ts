// Whether a log can be read and written, and if not, why. A shortage (space, open files) may pass;
// after a failed disk or damage only the next start can know what a log holds. A log that is
// damaged or cannot be written can still be read; one whose data directory has failed cannot.

import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
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
  /** The path of the active segment, for errors. */
  readonly path: () => string
  /** Called with failures of the disk, which may concern the whole data directory. */
  readonly onFailure: ((cause: unknown) => void) | undefined
  /** Stops writing: until space is free again or, with `isFinal`, until the next start. */
  readonly stop: (isFinal: boolean) => void
}

export class LogHealth {
  readonly #options: LogHealthOptions
  #offline: LogError | undefined
  /** Set while the log waits for space. */
  #full: LogError | undefined
  #isAbandoned = false

  constructor(options: LogHealthOptions) {
    this.#options = options
  }

  /** The error of a log that accepts no writes; undefined while it does. */
  get failure(): LogError | undefined {
    return this.#offline ?? this.#full
  }

  /** The log accepts no writes only for lack of space. */
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

  /** The content of the files is unknown from now on. */
  failed(cause: unknown): void {
    if (this.#offline) return
    this.#options.onFailure?.(cause)
    const failure = writeFailed(this.#options.path(), cause)
    this.#goOffline(failure, 'the log failed and takes no writes')
  }

  damaged(damage: LogError): void {
    this.#goOffline(damage, 'the log is damaged and takes no writes')
  }

  /** A failure other than that of a write to the log. */
  report(cause: unknown): void {
    if (isDamage(cause)) this.damaged(cause)
    else this.#options.onFailure?.(cause)
  }

  /** The data directory has failed, and has logged it once for all its logs. */
  abandoned(failure: LogError): void {
    this.#isAbandoned = true
    this.#offline = failure
    this.#options.stop(true)
  }

  /** The error for the caller of a read that has failed. */
  readFailed(cause: unknown, directory: string): unknown {
    this.report(cause)
    return readFailed(directory, cause) ?? cause
  }

  /** Throws the error of a log that cannot be read. */
  mustBeReadable(): void {
    if (this.#isAbandoned) throw this.#offline!
  }

  #refused(cause: unknown): void {
    if (this.#offline) return
    const { logger, path, stop } = this.#options
    stop(false)
    // Retried continually; logged once.
    if (this.#full) return
    this.#full = passingFailure(path(), cause)
    logger().error(
      { error: this.#full },
      'the log takes no writes; a write is retried until it succeeds',
    )
  }

  #goOffline(failure: LogError, message: string): void {
    // The same failure may have taken the whole directory out of use already.
    if (this.#offline) return
    this.#offline = failure
    this.#options.logger().error({ error: failure }, message)
    this.#options.stop(true)
  }
}
