// Something that goes wrong for a while: a broker that is away, a full disk. It is met again and again while
// it lasts, and logged twice: when it begins, and when it ends, with how long it lasted and how often it was
// met. In between it can be asked since when it holds, and why.

import type { Clock } from '../runtime/clock.ts'
import type { Logger } from './logger.ts'

export interface ConditionOptions {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  readonly logger: Logger
  /** Level of the line that says that it has begun, `warn` unless given; the other one is of level `info`. */
  readonly level?: 'warn' | 'error'
  /** The line that says that it is over. */
  readonly over: string
  /**
   * How long it must not be met until it is over, 0 unless given: for what comes and goes many times a minute,
   * such as a full channel. `over` has to be called again and again then.
   */
  readonly settleMs?: number
  /**
   * How long it may be met before anything is logged, 0 unless given: for what passes by itself in a moment, such
   * as a topic that is just being created. One that is over before is not logged at all.
   */
  readonly graceMs?: number
}

export class LastingCondition {
  readonly #options: ConditionOptions
  #began: { readonly ms: number; readonly monotonicMs: number } | undefined
  #times = 0
  #cause: string | undefined
  /** The cause that was logged last. */
  #loggedCause: string | undefined
  #message: string | undefined
  /** Since when it has not been met any more, while that may be a pause. */
  #pausedMs: number | undefined

  constructor(options: ConditionOptions) {
    this.#options = options
  }

  get holds(): boolean {
    return this.#began !== undefined && this.#pausedMs === undefined
  }

  /** Since when it holds, in ms since the epoch. */
  get sinceMs(): number | undefined {
    return this.#began?.ms
  }

  /** What was said when it was met last. */
  get message(): string | undefined {
    return this.#message
  }

  get cause(): string | undefined {
    return this.#cause
  }

  /**
   * The condition was met. Logged when it did not hold before, and when `cause` is another one: messages
   * name addresses and times, which vary with each try, and causes must not.
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

  /** The condition does not hold. Logged when it held before; `message` may say more than usual. */
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

  /** Ends it without a word: what was watched does not exist any more. */
  forget(): void {
    this.#began = undefined
    this.#pausedMs = undefined
    this.#times = 0
    this.#cause = undefined
    this.#loggedCause = undefined
    this.#message = undefined
  }
}
