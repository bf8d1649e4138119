// What a run of a plan has shown.

import type { History } from '../checkers/history.ts'

/** Something that must not happen, with what shows it. */
export interface Violation {
  /** Short and stable: a shrunk plan has to fail with the same name. */
  readonly name: string
  readonly message: string
  /** When it was noticed, in virtual ms. */
  readonly timeMs: number
  /** Ids of operations of the history. */
  readonly evidence?: readonly number[]
}

/** What somebody did or saw, for the timeline of a failing plan. */
export interface Moment {
  readonly timeMs: number
  readonly who: string
  readonly what: string
}

export interface Outcome {
  readonly violations: readonly Violation[]
  readonly history: History
  /** Faults, starts and ends of processes, and what servers logged. */
  readonly moments: readonly Moment[]
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  /** Interesting states that were reached, by name, with how often. */
  readonly marks: ReadonlyMap<string, number>
}
