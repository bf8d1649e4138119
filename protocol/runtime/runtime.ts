// Everything that a program uses of its environment, in one value that is passed in at the top:
// nothing else is ambient. Each part is an interface with an implementation for production and one
// for tests and simulators.
//
// Contract: the creator of the runtime controls time, the order of concurrent events, power
// failures and lost connections. Code above this folder must never use timers, files, sockets or
// randomness directly, and no file here knows Kafka or a program of Millrace.

import type { Disk } from './disk/disk.ts'
import type { Network } from './network/network.ts'
import type { Random } from './random.ts'
import type { RarePoints } from './rarePoints.ts'
import type { Scheduler } from './scheduling/scheduler.ts'
import type { Clock } from './time/clock.ts'

export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly scheduler: Scheduler
  /** Given by simulators only: forces what is rare. Without it, nothing is forced. */
  readonly rarePoints?: RarePoints
}
