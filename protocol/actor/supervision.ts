// Supervision decides what follows the failure of an actor: a restart after a pause, a stop, or an
// escalation. The decision depends on the error (`verdict`) and on how often the actor was
// restarted lately. It never waits, logs or touches an actor; time and chance are arguments.

import { AssertionError, assert } from '../runtime/assert.ts'

export type Verdict =
  /** A new incarnation after a pause; the mailbox is kept. Beyond the limit the actor stops. */
  | 'restart'
  /** The actor stops. */
  | 'stop'
  /** The actor stops, and the failure goes to `onEscalate` of its system. */
  | 'escalate'

export interface Supervision {
  /** Decides by the error. Must not throw. */
  readonly verdict: (error: Error) => Verdict
  /** Pause before the first restart of a window; it doubles with each further restart. */
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  /** The actor stops at the failure after this many restarts within `withinMs`. */
  readonly maxRestarts: number
  readonly withinMs: number
}

/** Returns a supervision that restarts after every failure, unless `verdict` says otherwise. */
export function restart(options: Partial<Supervision> = {}): Supervision {
  const supervision: Supervision = {
    verdict: () => 'restart',
    minBackoffMs: 100,
    maxBackoffMs: 10_000,
    maxRestarts: 10,
    withinMs: 60_000,
    ...options,
  }
  // With no pause, an actor that fails at its start would keep the thread busy without end.
  assert(supervision.minBackoffMs > 0, 'minBackoffMs must be positive')
  assert(supervision.maxBackoffMs >= supervision.minBackoffMs, 'maxBackoffMs is below minBackoffMs')
  assert(supervision.maxRestarts >= 0, 'maxRestarts must not be negative')
  assert(supervision.withinMs > 0, 'withinMs must be positive')
  return supervision
}

export type Decision =
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'stop'; readonly reason: 'failed' | 'restartLimit' }
  | { readonly kind: 'escalate' }

/** At most this share is added to a backoff, so that actors that fail together restart apart. */
const jitter = 0.2

/** The failures of one actor, over all its incarnations, and the decision after each. */
export class Supervisor {
  readonly #supervision: Supervision
  /** Times of the restarts within the window, oldest first; at most `maxRestarts`. */
  #restartsMs: number[] = []

  constructor(supervision: Supervision) {
    this.#supervision = supervision
  }

  /**
   * Decides what follows a failure. `nowMs` is monotonic; `chance` is in [0, 1). A broken invariant
   * escalates whatever the verdict: a new incarnation would go on with what the old one has broken.
   */
  onFailure(error: Error, nowMs: number, chance: number): Decision {
    assert(chance >= 0 && chance < 1, `a chance is in [0, 1), not ${chance}`)
    const { verdict, maxRestarts, withinMs } = this.#supervision
    const kind = error instanceof AssertionError ? 'escalate' : verdict(error)
    if (kind === 'escalate') return { kind }
    if (kind === 'stop') return { kind, reason: 'failed' }
    this.#restartsMs = this.#restartsMs.filter((atMs) => nowMs - atMs < withinMs)
    const restarts = this.#restartsMs.length
    if (restarts >= maxRestarts) return { kind: 'stop', reason: 'restartLimit' }
    this.#restartsMs.push(nowMs)
    return { kind: 'restart', delayMs: backoffMs(this.#supervision, restarts, chance) }
  }
}

function backoffMs(supervision: Supervision, restarts: number, chance: number): number {
  const doubled = supervision.minBackoffMs * 2 ** restarts
  return Math.min(supervision.maxBackoffMs, doubled * (1 + jitter * chance))
}
