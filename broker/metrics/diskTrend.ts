// Predicts when a disk will be full and derives its alert level: pure computation over samples of
// free bytes.

/**
 * Free bytes go up and down, as retention deletes whole segments: a shorter window would see only
 * one side.
 */
const windowMs = 30 * 60_000
/** Shortest time that a rate is computed over; less is noise. */
const shortestMs = 60_000
const maxSamples = 200

const hourSeconds = 3600
const gibibyte = 1024 ** 3

interface Sample {
  readonly atMs: number
  readonly freeBytes: number
}

/** Least-squares line through the samples of the last half hour. */
export class DiskTrend {
  readonly #samples: Sample[] = []

  /** Adds a sample. `atMs` is monotonic. */
  add(atMs: number, freeBytes: number): void {
    this.#samples.push({ atMs, freeBytes })
    while (this.#samples[0]!.atMs < atMs - windowMs || this.#samples.length > maxSamples) {
      this.#samples.shift()
    }
  }

  /**
   * Returns the seconds until free bytes fall to `limitBytes`: 0 if they have, Infinity if they do
   * not fall.
   */
  secondsUntil(limitBytes: number): number {
    const last = this.#samples.at(-1)
    if (!last) return Number.POSITIVE_INFINITY
    if (last.freeBytes <= limitBytes) return 0
    if (last.atMs - this.#samples[0]!.atMs < shortestMs) return Number.POSITIVE_INFINITY
    const slope = this.#bytesPerMs()
    return slope < 0 ? (last.freeBytes - limitBytes) / -slope / 1000 : Number.POSITIVE_INFINITY
  }

  #bytesPerMs(): number {
    const count = this.#samples.length
    const meanMs = this.#samples.reduce((sum, { atMs }) => sum + atMs, 0) / count
    const meanBytes = this.#samples.reduce((sum, { freeBytes }) => sum + freeBytes, 0) / count
    let covariance = 0
    let variance = 0
    for (const { atMs, freeBytes } of this.#samples) {
      covariance += (atMs - meanMs) * (freeBytes - meanBytes)
      variance += (atMs - meanMs) ** 2
    }
    return variance === 0 ? 0 : covariance / variance
  }
}

/** 0: enough space. 1: an operator should act. 2: produces are refused. */
export type DiskLevel = 0 | 1 | 2

export interface DiskState {
  /** The directory has failed or refuses produces. */
  readonly refuses: boolean
  readonly sizeBytes: number
  readonly freeBytes: number
  readonly reservedBytes: number
  readonly secondsUntilFull: number
}

export function diskLevel(state: DiskState): DiskLevel {
  const { refuses, sizeBytes, freeBytes, reservedBytes, secondsUntilFull } = state
  if (refuses) return 2
  const scarceBytes = Math.min(0.05 * sizeBytes, 10 * gibibyte)
  const isScarce = freeBytes - reservedBytes < scarceBytes
  return isScarce || secondsUntilFull < 4 * hourSeconds ? 1 : 0
}
