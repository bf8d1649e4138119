// What the actors of one system share. Passed to each actor by its system; internal to this folder.

import type { Random } from '../runtime/random.ts'
import type { Clock } from '../runtime/time/clock.ts'
import type { Logger } from '../telemetry/logging/logger.ts'
import type { MetricSpec } from '../telemetry/metrics/metricSpec.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { actorMetrics } from './actorMetrics.ts'
import type { DeadLetters } from './deadLetters.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { EscalatedError } from './failures.ts'

export interface Environment {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly dispatcher: Dispatcher
  readonly deadLetters: DeadLetters
  readonly counters: ActorCounters
  /** Hands a failure to the owner of the system. */
  readonly escalated: (error: EscalatedError) => void
  /** Called when an actor has stopped: its name is free. */
  readonly stopped: (name: string) => void
}

/** Counters over all actors of a system. */
export class ActorCounters {
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
