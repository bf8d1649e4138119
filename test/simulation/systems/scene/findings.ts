// What a run shows: the violations and the moments of its timeline. An error that nobody catches is
// a violation, and ends the process whose event it was.

import type { History } from '../../checkers/history.ts'
import type { Moment, Outcome, Violation } from '../../plan/outcome.ts'
import type { EventOwner } from '../../world/eventHeap.ts'
import { SimulatedProcess } from '../../world/simulatedProcess.ts'
import type { World } from '../../world/world.ts'

/** Violations that are kept. */
const mostViolations = 50

export class Findings {
  readonly violations: Violation[] = []
  readonly #world: World
  readonly #moments: Moment[] = []

  constructor(world: World) {
    this.#world = world
    world.onError = (error, owner) => this.#onError(error, owner)
  }

  violate(name: string, message: string): void {
    if (this.violations.length >= mostViolations) return
    this.violations.push({ name, message, timeMs: this.#world.nowMs })
    this.note('VIOLATION', `${name}: ${message}`)
  }

  note(who: string, what: string): void {
    this.#moments.push({ timeMs: this.#world.nowMs, who, what })
  }

  /** Of the run so far. */
  outcome(history: History = []): Outcome {
    const { events, nowMs, trace, marks } = this.#world
    return {
      violations: this.violations,
      history,
      moments: this.#moments,
      traceHash: trace.hash,
      events,
      virtualMs: nowMs,
      marks: marks.counts,
    }
  }

  #onError(error: unknown, owner: EventOwner): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.violate('crash', `${owner.name}: ${what}`)
    if (owner instanceof SimulatedProcess) owner.end('failed', error)
  }
}
