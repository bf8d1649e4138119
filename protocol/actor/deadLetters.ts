// Dead letters: messages that no behavior handles to the end, counted by reason and passed to a
// hook. A message may be lost with a crash or a stop, and never without a report here.

import type { Counter, Metrics } from '../telemetry/metrics/metrics.ts'
import { actorMetrics } from './actorMetrics.ts'

export type DeadLetterReason =
  /** Sent to an actor that is stopping or has stopped. */
  | 'stopped'
  /** Still in the mailbox of an actor when it stopped. */
  | 'dropped'
  /** `receive` failed. */
  | 'failed'

export interface DeadLetter {
  /** The actor that it was sent to. */
  readonly path: string
  readonly message: unknown
  readonly reason: DeadLetterReason
}

export type DeadLetterHook = (letter: DeadLetter) => void

export class DeadLetters {
  readonly #counter: Counter<'reason'> | undefined
  readonly #hook: DeadLetterHook | undefined

  constructor(metrics: Metrics | undefined, hook: DeadLetterHook | undefined) {
    this.#hook = hook
    this.#counter = metrics?.counter(actorMetrics.deadLetters)
  }

  report(path: string, message: unknown, reason: DeadLetterReason): void {
    this.#counter?.inc({ reason })
    this.#hook?.({ path, message, reason })
  }
}
