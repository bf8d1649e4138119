// The runtime of production: system clock, system randomness, node:fs and the system scheduler,
// with the given network.

import { systemClock } from './clock.ts'
import type { Network } from './network.ts'
import { nodeDisk } from './nodeDisk.ts'
import { systemRandom } from './random.ts'
import type { Runtime } from './runtime.ts'
import { systemScheduler } from './scheduler.ts'

export function nodeRuntime(network: Network): Runtime {
  return {
    clock: systemClock,
    random: systemRandom(),
    disk: nodeDisk,
    network,
    scheduler: systemScheduler,
  }
}
