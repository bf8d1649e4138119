// Faults that hurt in pairs, and that are hardly ever drawn together: a loss of power soon after a
// process was killed, which loses what was in the page cache, and the end of a process whose disk
// is full. Each pair is on in one seed of five.

import type { Random } from '../../../../protocol/runtime/random.ts'
import type { Fault } from '../../plan/faults.ts'
import { between, chance, oneOf, whole } from '../../plan/swarm.ts'

interface Target {
  readonly host: string
  readonly process: string
}

/** `faults` with the pairs, in the order of their times as far as they have one. */
export function withPairs(
  random: Random,
  faults: readonly Fault[],
  target: Target,
  safetyMs: number,
): Fault[] {
  const pairs = [killAndPowerLoss(random.fork('power'), target, safetyMs)]
  pairs.push(endOnFullDisk(random.fork('full'), target, safetyMs))
  return [...pairs.flat(), ...faults]
}

function killAndPowerLoss(random: Random, { host, process }: Target, safetyMs: number): Fault[] {
  if (!chance(random, 0.2)) return []
  const atMs = Math.round(between(random, 0, safetyMs))
  const lostMs = atMs + whole(random, 5, 200)
  const loss = { losesAll: chance(random, 0.5), reorders: chance(random, 0.5), downMs: 10 }
  return [
    { kind: 'kill', at: { atMs }, host, process, downMs: 0 },
    { kind: 'losePower', at: { atMs: lostMs }, host, ...loss },
  ]
}

function endOnFullDisk(random: Random, { host, process }: Target, safetyMs: number): Fault[] {
  if (!chance(random, 0.2)) return []
  const atMs = Math.round(between(random, 0, safetyMs))
  const forMs = whole(random, 20, 300)
  const kind = oneOf(random, ['kill', 'stop'] as const)
  const end = { atMs: atMs + Math.round(forMs * random.float()) }
  return [
    { kind: 'fillDisk', at: { atMs }, host, forMs },
    { kind, at: end, host, process, downMs: oneOf(random, [0, 100]) },
  ]
}
