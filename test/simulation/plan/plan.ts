// A plan: everything that decides a run, as plain data that fits into a JSON file. What a plan does
// not say follows from its seed. A plan that fails is shrunk by deleting faults and simplifying the
// rest (shrinking.ts), with the same seed.

import type { SimulatedDiskOptions } from '../world/disk/simulatedDisk.ts'
import type { HostClockOptions } from '../world/hostClock.ts'
import type { NetworkOptions } from '../world/network/simulatedNetwork.ts'
import type { RareChances } from '../world/seededRarePoints.ts'
import type { Fault } from './faults.ts'

export interface HostPlan {
  readonly name: string
  readonly clock: HostClockOptions
  readonly disk: SimulatedDiskOptions
}

export interface Plan<Parameters = unknown> {
  /** Name of the system. */
  readonly system: string
  readonly seed: number
  /** What the system makes of it: its configuration and its workload. */
  readonly parameters: Parameters
  /** Number of clients of each kind, so that shrinking can do with fewer. */
  readonly load?: Readonly<Record<string, number>>
  readonly network: NetworkOptions
  readonly hosts: readonly HostPlan[]
  /** Chances of the rare points in the servers' code. */
  readonly rare: RareChances
  readonly faults: readonly Fault[]
  /** Time in which faults happen and clients work, in ms. Then all is healed. */
  readonly safetyMs: number
  /** Time within which everything has to be answered after that, in ms. */
  readonly livenessMs: number
}
