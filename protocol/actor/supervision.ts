// What becomes of an actor that fails: strategies as values, and the decision they lead to. Only
// decides; it never waits, logs or touches an actor. Time and chance are arguments.

import { assert } from '../runtime/assert.ts'

/** Whom a restart takes along: the actor that failed, or all children of its parent. */
export type RestartScope = 'one-for-one' | 'all-for-one'

/**
 * What becomes of the message whose handling failed. `drop`: it is lost, reported as a dead letter.
 * `retry`: the next incarnation handles it first, so it may take effect more than once; a message
 * that can never be handled ends in the restart limit.
 */
export type FailedMessage = 'drop' | 'retry'

export interface RestartStrategy {
  readonly kind: 'restart'
  /** Pause before the first restart of a window; it doubles with each further one. */
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  /**
   * The failure after this many restarts within `withinMs` stops for good: the actor, or all
   * siblings when they are restarted together.
   */
  readonly maxRestarts: number
  readonly withinMs: number
  readonly scope: RestartScope
  readonly failedMessage: FailedMessage
}

export type Supervision =
  | RestartStrategy
  | { readonly kind: 'stop' }
  /** The failure counts as the parent's own: the parent's strategy decides, and the actor stops. */
  | { readonly kind: 'escalate' }

/**
 * A new incarnation after a pause. The mailbox survives; of the rest (fields, children, timers,
 * watches) nothing does. Every option has a default.
 */
export function restart(options: Partial<Omit<RestartStrategy, 'kind'>> = {}): RestartStrategy {
  const strategy: RestartStrategy = {
    kind: 'restart',
    minBackoffMs: 100,
    maxBackoffMs: 10_000,
    maxRestarts: 10,
    withinMs: 60_000,
    scope: 'one-for-one',
    failedMessage: 'drop',
    ...options,
  }
  assert(strategy.minBackoffMs >= 0, 'minBackoffMs must not be negative')
  assert(strategy.maxBackoffMs >= strategy.minBackoffMs, 'maxBackoffMs is below minBackoffMs')
  assert(strategy.maxRestarts >= 0, 'maxRestarts must not be negative')
  assert(strategy.withinMs > 0, 'withinMs must be positive')
  return strategy
}

export function stop(): Supervision {
  return { kind: 'stop' }
}

export function escalate(): Supervision {
  return { kind: 'escalate' }
}

export type Decision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly scope: RestartScope }
  | {
      readonly kind: 'stop'
      readonly reason: 'failed' | 'restartLimit'
      readonly scope: RestartScope
    }
  | { readonly kind: 'escalate' }

/** Up to this share is added to a backoff, so that what fell together does not rise together. */
const jitter = 0.2

/** The failures of one actor, over all its incarnations, and what follows from each. */
export class Supervisor {
  readonly #strategy: Supervision
  /** When the actor was restarted, oldest first, within the window; at most `maxRestarts`. */
  #restartsMs: number[] = []

  constructor(strategy: Supervision) {
    this.#strategy = strategy
  }

  /** Whether a restart hands the failed message to the next incarnation. */
  get retriesMessage(): boolean {
    return this.#strategy.kind === 'restart' && this.#strategy.failedMessage === 'retry'
  }

  /** `nowMs` is monotonic; `chance` is in [0, 1). */
  onFailure(nowMs: number, chance: number): Decision {
    const strategy = this.#strategy
    if (strategy.kind === 'escalate') return { kind: 'escalate' }
    if (strategy.kind === 'stop') {
      return { kind: 'stop', reason: 'failed', scope: 'one-for-one' }
    }

    const { scope } = strategy
    this.#restartsMs = this.#restartsMs.filter((atMs) => nowMs - atMs < strategy.withinMs)
    const restarts = this.#restartsMs.length
    if (restarts >= strategy.maxRestarts) return { kind: 'stop', reason: 'restartLimit', scope }
    this.#restartsMs.push(nowMs)
    return { kind: 'restart', delayMs: backoffMs(strategy, restarts, chance), scope }
  }
}

function backoffMs(strategy: RestartStrategy, restarts: number, chance: number): number {
  const doubled = strategy.minBackoffMs * 2 ** restarts
  return Math.min(strategy.maxBackoffMs, doubled * (1 + jitter * chance))
}
