// The health of one source or sink across its restarts: whether it works, since when it fails, and
// the problem that its current instance reports.

import type { Clock } from '../protocol/runtime/time/clock.ts'
import type { AgentReason } from './agentReasons.ts'
import type { Polled } from './polled.ts'

export class ComponentWatch {
  readonly #clock: Clock
  /** Kind and name, such as `sink k1`. */
  readonly #name: string
  #instance: Polled | undefined
  #incarnations = 0
  #failure: { message: string; readonly sinceMs: number; times: number } | undefined

  constructor(clock: Clock, name: string) {
    this.#clock = clock
    this.#name = name
  }

  /** Replaces the component's current instance. */
  begins(instance: Polled): void {
    this.#instance = instance
    this.#incarnations++
  }

  /** Number of restarts after failures. */
  get restarts(): number {
    return Math.max(0, this.#incarnations - 1)
  }

  /** A round of work has succeeded. */
  works(): void {
    this.#failure = undefined
  }

  failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    this.#failure ??= { message, sinceMs: this.#clock.nowMs(), times: 0 }
    this.#failure.message = message
    this.#failure.times++
  }

  reasons(): AgentReason[] {
    const own = this.#instance?.troubles?.() ?? []
    const reported = own.map((reason) => ({
      ...reason,
      message: `${this.#name}: ${reason.message}`,
    }))
    if (this.#failure === undefined) return reported
    const { message, sinceMs, times } = this.#failure
    const often = times > 1 ? `failed ${times} times` : 'failed'
    const text = `${this.#name} ${often} and is restarted: ${message}`
    return [{ code: 'COMPONENT_FAILING', message: text, sinceMs }, ...reported]
  }
}
