// Everything a program may touch of the world, in one value that is handed in at the top.

import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly scheduler: Scheduler
}
