// When a disk will be full, and whether somebody has to be told: pure computation over samples of its free bytes.

/** Retention deletes whole segments, so that free bytes go up and down: a shorter window would see one side. */
const windowMs = 30 * 60_000
/** A line through less would say anything. */
const shortestMs = 60_000
const maxSamples = 200

const hourSeconds = 3600
const gibibyte = 1024 ** 3

interface Sample {
  readonly atMs: number
  readonly freeBytes: number
}

/** The line through the samples of the last half hour, by least squares. */
export class DiskTrend {
  readonly #samples: Sample[] = []

  /** `atMs` by a clock that does not go back. */
  add(atMs: number, freeBytes: number): void {
    this.#samples.push({ atMs, freeBytes })
    while (this.#samples[0]!.atMs < atMs - windowMs || this.#samples.length > maxSamples) {
      this.#samples.shift()
    }
  }

  /** Seconds until free bytes fall to `limitBytes`; 0 when they have, Infinity when they do not fall. */
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

/** 0: there is room. 1: somebody should look. 2: records are refused. */
export type DiskLevel = 0 | 1 | 2

export interface DiskState {
  /** The directory has failed, or takes no records of clients. */
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
