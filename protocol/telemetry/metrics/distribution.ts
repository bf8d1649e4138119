// A distribution over fixed buckets: a Prometheus histogram without labels. For hot paths: the
// observer keeps the object, and an observation needs neither a lookup nor an allocation.

import { assert } from '../../runtime/assert.ts'

/** A distribution as plain data, which can be passed between threads. */
export interface DistributionFigures {
  readonly bounds: readonly number[]
  /** Observations by bucket, not cumulative; the last one counts those above all bounds. */
  readonly counts: readonly number[]
  readonly sum: number
}

export class Distribution {
  readonly #bounds: readonly number[]
  /** Observations by bucket, not cumulative; the last one counts those above all bounds. */
  readonly #counts: number[]
  #sum = 0

  /** `bounds` are the upper bounds of the buckets, ascending. */
  constructor(bounds: readonly number[]) {
    assert(bounds.length > 0, 'a distribution has buckets')
    this.#bounds = bounds
    this.#counts = new Array<number>(bounds.length + 1).fill(0)
  }

  /** Restores a distribution from its figures. */
  static of({ bounds, counts, sum }: DistributionFigures): Distribution {
    const distribution = new Distribution(bounds)
    assert(counts.length === bounds.length + 1, 'one count per bucket, and one above all bounds')
    distribution.#counts.splice(0, counts.length, ...counts)
    distribution.#sum = sum
    return distribution
  }

  figures(): DistributionFigures {
    return { bounds: this.#bounds, counts: [...this.#counts], sum: this.#sum }
  }

  get bounds(): readonly number[] {
    return this.#bounds
  }

  get sum(): number {
    return this.#sum
  }

  get count(): number {
    let count = 0
    for (const each of this.#counts) count += each
    return count
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++
    this.#counts[bucket]!++
    this.#sum += value
  }

  /** Cumulative counts: for each bound the observations at or below it, then the total. */
  cumulated(): number[] {
    let count = 0
    return this.#counts.map((each) => {
      count += each
      return count
    })
  }
}
