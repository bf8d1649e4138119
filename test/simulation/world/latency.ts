// How long something takes: mostly around a mean, sometimes slower by orders of magnitude, as disks
// and networks are. Plain data, so that a plan can hold it.

import type { Random } from '../../../protocol/runtime/random.ts'

export interface Latency {
  readonly minMs: number
  /** Mean of what is added to the minimum (exponentially distributed), in ms. */
  readonly meanMs: number
  /** How often something is slow: 0 to 1. */
  readonly slowChance: number
  /** Factor of what is slow. */
  readonly slowFactor: number
}

/**
 * Nothing takes longer than this, in ms: what was slow must end soon after everything is healed.
 */
export const mostMs = 2000

export function drawLatency({ minMs, meanMs, slowChance, slowFactor }: Latency, random: Random) {
  const usualMs = minMs - meanMs * Math.log(1 - random.float())
  const isSlow = slowChance > 0 && random.float() < slowChance
  return Math.min(mostMs, isSlow ? usualMs * slowFactor : usualMs)
}

export function steady(minMs: number, meanMs: number): Latency {
  return { minMs, meanMs, slowChance: 0, slowFactor: 1 }
}
