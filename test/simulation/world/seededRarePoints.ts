// Forces rare points of production code by a chance for each, from a seed, and counts them.

import type { Random } from '../../../protocol/runtime/random.ts'
import type { RarePoint, RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { Marks } from './marks.ts'

/** Chance of each point, 0 to 1; points that are absent are never forced. */
export type RareChances = Readonly<Partial<Record<RarePoint, number>>>

export class SeededRarePoints implements RarePoints {
  readonly #points = new Map<string, { readonly chance: number; readonly random: Random }>()
  readonly #marks: Marks
  #isOn = true

  /** Each point draws from a fork of its own. */
  constructor(chances: RareChances, random: Random, marks: Marks) {
    this.#marks = marks
    for (const [point, chance] of Object.entries(chances)) {
      this.#points.set(point, { chance, random: random.fork(point) })
    }
  }

  isForced(point: RarePoint): boolean {
    const known = this.#points.get(point)
    if (known === undefined || !this.#isOn || known.random.float() >= known.chance) return false
    this.#marks.reached(`rare: ${point}`)
    return true
  }

  /** Forces nothing any more. */
  stop(): void {
    this.#isOn = false
  }
}
