// What all actors of one system share. Handed down at spawning; nobody outside this folder sees it.

import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { MetricSpec } from '../telemetry/metricSpec.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { actorMetrics } from './actorMetrics.ts'
import type { DeadLetters } from './deadLetters.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { EscalatedError } from './failures.ts'

export interface Household {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly dispatcher: Dispatcher
  readonly deadLetters: DeadLetters
  readonly figures: ActorFigures
  /** The way to the top for a broken invariant, past every strategy. */
  readonly brokenInvariant: (error: EscalatedError) => void
}

/** What is counted over all actors of a system. */
export class ActorFigures {
  readonly failed: () => void
  readonly restarted: () => void
  /** A `tell` found the mailbox full. */
  readonly waited: () => void

  constructor(metrics: Metrics | undefined) {
    const count = (spec: MetricSpec<never>) => {
      const counter = metrics?.counter(spec)
      return () => counter?.inc()
    }
    this.failed = count(actorMetrics.failed)
    this.restarted = count(actorMetrics.restarted)
    this.waited = count(actorMetrics.waited)
  }
}
