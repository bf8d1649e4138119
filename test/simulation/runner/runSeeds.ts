// Runs consecutive seeds of one system in this thread.

import { systems } from '../systems.ts'
import { addOutcome, newTally, type SeedTally } from './seedTally.ts'

export interface SeedRange {
  readonly system: string
  readonly from: number
  readonly count: number
}

/** Stops after the first seed that fails. `onSeed` is called before each one. */
export async function runSeeds(
  { system: name, from, count }: SeedRange,
  onSeed: (seed: number) => void = () => {},
): Promise<SeedTally> {
  const system = systems.find((each) => each.name === name)
  if (system === undefined) throw new Error(`there is no system ${name}`)
  const tally = newTally()
  for (let seed = from; seed < from + count && tally.failures.length === 0; seed++) {
    onSeed(seed)
    const before = process.threadCpuUsage()
    const outcome = await system.run(system.drawPlan(seed))
    const { user, system: kernel } = process.threadCpuUsage(before)
    addOutcome(tally, name, seed, outcome, (user + kernel) / 1000)
  }
  return tally
}
