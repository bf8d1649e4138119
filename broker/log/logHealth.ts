// Whether a log takes writes, and why not. Lack of space may pass; what a disk that failed, or damage,
// has done to a log is found out by the next start at the earliest.

import type { Logger } from '../../protocol/telemetry/logger.ts'
import { diskFull, type LogError, writeFailed } from './logError.ts'

export class LogHealth {
  #offline: LogError | undefined
  /** Set while there was no room for what was to be written. */
  #full: LogError | undefined

  /** Why the log takes no writes; undefined when it does. */
  get failure(): LogError | undefined {
    return this.#offline ?? this.#full
  }

  /** It stays so until the next start. */
  get isOffline(): boolean {
    return this.#offline !== undefined
  }

  /** It waits for nothing but room. */
  get isFull(): boolean {
    return this.#full !== undefined && !this.isOffline
  }

  /** `path` is where the log was written. */
  full(cause: unknown, path: string, logger: Logger): void {
    this.#full ??= diskFull(path, cause)
    logger.error({ error: this.#full }, 'the log takes no writes until there is room')
  }

  regained(): void {
    this.#full = undefined
  }

  failed(cause: unknown, path: string, logger: Logger): void {
    this.#offline = writeFailed(path, cause)
    logger.error({ error: this.#offline }, 'the log failed and takes no writes')
  }

  /** Found when the log was opened. */
  damaged(damage: LogError, logger: Logger): void {
    this.#offline = damage
    logger.error({ error: damage }, 'the log is damaged and takes no writes')
  }
}
