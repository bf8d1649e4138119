// The runtime of production: system clock, system randomness, node:fs and the system scheduler,
// with the given network.

import { nodeDisk } from './disk/nodeDisk.ts'
import type { Network } from './network/network.ts'
import { systemRandom } from './random.ts'
import type { Runtime } from './runtime.ts'
import { systemScheduler } from './scheduling/scheduler.ts'
import { systemClock } from './time/clock.ts'

export function nodeRuntime(network: Network): Runtime {
  return {
    clock: systemClock,
    random: systemRandom(),
    disk: nodeDisk,
    network,
    scheduler: systemScheduler,
  }
}
