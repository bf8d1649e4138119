// Messages that no behaviour will handle to its end: counted by reason, and shown to a hook. Losing a
// message is allowed where a strategy says so; losing it silently never is.

import type { Counter, Metrics } from '../telemetry/metrics.ts'
import { actorMetrics } from './actorMetrics.ts'

export type DeadLetterReason =
  /** Sent to an actor that is stopping or has stopped. */
  | 'stopped'
  /** Still in the mailbox of an actor when it stopped. */
  | 'dropped'
  /** Its handling failed. */
  | 'failed'

export interface DeadLetter {
  /** The actor it was meant for. */
  readonly path: string
  readonly message: unknown
  readonly reason: DeadLetterReason
}

export type DeadLetterHook = (letter: DeadLetter) => void

export class DeadLetters {
  readonly #counter: Counter<'reason'> | undefined
  readonly #hook: DeadLetterHook | undefined
  #count = 0

  constructor(metrics: Metrics | undefined, hook: DeadLetterHook | undefined) {
    this.#hook = hook
    this.#counter = metrics?.counter(actorMetrics.deadLetters)
  }

  get count(): number {
    return this.#count
  }

  report(path: string, message: unknown, reason: DeadLetterReason): void {
    this.#count++
    this.#counter?.inc({ reason })
    this.#hook?.({ path, message, reason })
  }
}
