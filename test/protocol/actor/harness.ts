// An actor system on a manual clock that records everything it reports.

import { ActorSystem } from '../../../protocol/actor/actor.ts'
import type { DeadLetter } from '../../../protocol/actor/deadLetters.ts'
import type { EscalatedError } from '../../../protocol/actor/failures.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { Metrics } from '../../../protocol/telemetry/metrics/metrics.ts'
import { MemoryLogger } from '../../memoryLogger.ts'

export interface Stage {
  readonly clock: ManualClock
  readonly logger: MemoryLogger
  readonly metrics: Metrics
  readonly system: ActorSystem
  readonly deadLetters: DeadLetter[]
  readonly escalated: EscalatedError[]
}

export function stage(seed = 1): Stage {
  const clock = new ManualClock()
  const logger = new MemoryLogger()
  const metrics = new Metrics()
  const deadLetters: DeadLetter[] = []
  const escalated: EscalatedError[] = []
  const system = new ActorSystem({
    clock,
    random: seededRandom(seed),
    scheduler: systemScheduler,
    logger,
    metrics,
    onDeadLetter: (letter) => deadLetters.push(letter),
    onEscalate: (error) => escalated.push(error),
  })
  return { clock, logger, metrics, system, deadLetters, escalated }
}
