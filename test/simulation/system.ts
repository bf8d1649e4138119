// A system that can be simulated: draws its plans, and runs them.

import type { Outcome } from './plan/outcome.ts'
import type { Plan } from './plan/plan.ts'
import type { TraceOptions } from './world/trace.ts'

export interface SimulatedSystem {
  /** For `--system`. */
  readonly name: string
  /** Marks that 500 seeds have to reach, each at least once. */
  readonly marks: readonly string[]
  /** The same plan for the same seed. */
  drawPlan(seed: number): Plan
  /** The same outcome for the same plan. */
  run(plan: Plan, trace?: TraceOptions): Promise<Outcome>
}
