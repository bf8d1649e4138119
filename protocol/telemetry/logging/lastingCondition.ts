// A failure that lasts: an unreachable broker, a full disk. It is detected repeatedly while it
// lasts, but logged only twice: at its start, and at its end with its duration and the number of
// detections. In between, its start and its cause can be queried.

import type { Clock } from '../../runtime/time/clock.ts'
import type { Logger } from './logger.ts'

export interface ConditionOptions {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  readonly logger: Logger
  /** Level of the line at the start. Default: `warn`. The line at the end has level `info`. */
  readonly level?: 'warn' | 'error'
  /** The line at the end. */
  readonly over: string
  /**
   * How long the condition must be absent before it ends. Default: 0. For conditions that change
   * several times a minute, such as a full channel; `over` must then be called repeatedly.
   */
  readonly settleMs?: number
  /**
   * How long the condition may last before it is logged. Default: 0. For conditions that resolve
   * themselves in a moment, such as a topic being created; one that ends earlier is not logged.
   */
  readonly graceMs?: number
}

export class LastingCondition {
  readonly #options: ConditionOptions
  #began: { readonly ms: number; readonly monotonicMs: number } | undefined
  #times = 0
  #cause: string | undefined
  /** The cause that was last logged. */
  #loggedCause: string | undefined
  #message: string | undefined
  /** Time since which the condition is absent, while that may be a pause. */
  #pausedMs: number | undefined

  constructor(options: ConditionOptions) {
    this.#options = options
  }

  get holds(): boolean {
    return this.#began !== undefined && this.#pausedMs === undefined
  }

  /** Start of the condition, in ms since the epoch. */
  get sinceMs(): number | undefined {
    return this.#began?.ms
  }

  /** Message of the last detection. */
  get message(): string | undefined {
    return this.#message
  }

  get cause(): string | undefined {
    return this.#cause
  }

  /**
   * Reports that the condition was detected. Logged at its start, and when `cause` changes:
   * messages may contain addresses and times that vary with each retry, causes must not.
   */
  met(fields: object, message: string, cause = ''): void {
    const { clock, logger, level = 'warn', graceMs = 0 } = this.#options
    this.#times++
    this.#pausedMs = undefined
    this.#message = message
    this.#cause = cause
    this.#began ??= { ms: clock.nowMs(), monotonicMs: clock.monotonicMs() }
    if (this.#loggedCause === cause) return
    if (clock.monotonicMs() - this.#began.monotonicMs < graceMs) return
    this.#loggedCause = cause
    logger[level](fields, message)
  }

  /**
   * Reports that the condition is absent. Logged at its end; `message` may be more specific than
   * the default.
   */
  over(fields: object = {}, message: string = this.#options.over): void {
    if (this.#began === undefined) return
    const { clock, logger, settleMs = 0 } = this.#options
    const nowMs = clock.monotonicMs()
    this.#pausedMs ??= nowMs
    if (nowMs - this.#pausedMs < settleMs) return
    const lastedMs = Math.round(this.#pausedMs - this.#began.monotonicMs)
    const times = this.#times
    const wasLogged = this.#loggedCause !== undefined
    this.forget()
    if (wasLogged) logger.info({ ...fields, lastedMs, times }, message)
  }

  /** Ends the condition without a log line: its subject no longer exists. */
  forget(): void {
    this.#began = undefined
    this.#pausedMs = undefined
    this.#times = 0
    this.#cause = undefined
    this.#loggedCause = undefined
    this.#message = undefined
  }
}
