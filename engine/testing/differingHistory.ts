// A history whose result differs from the expected one: what `explore` has found, before it is
// described to the author of the job.

import type { HistoryPlan } from './history.ts'
import type { Difference } from './outcome.ts'

export interface DifferingHistory {
  readonly seed: number
  readonly plan: HistoryPlan
  readonly differences: readonly Difference[]
  /** Whether the calm history already differs from the one with a single batch. */
  readonly isByBatching: boolean
  /** Whether even the calm history gives different results on a second run. */
  readonly isUnrepeatable?: boolean
}
