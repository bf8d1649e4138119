// Estimates how many records per second a job can process, from its finished batches. Spark's
// PIDRateEstimator, with the same formula and order of updates. Pure; every rate is in records per
// second.

export interface PidOptions {
  /** Target processing time of a batch, in ms. Spark uses the batch interval. */
  readonly batchMs: number
  readonly proportional: number
  readonly integral: number
  readonly derived: number
  readonly minRate: number
}

export interface RateSample {
  /** When the batch finished, in ms. */
  readonly timeMs: number
  readonly records: number
  readonly processingDelayMs: number
  /** Delay between the nominal time of the batch and its start, in ms. */
  readonly schedulingDelayMs: number
}

export class PidRateEstimator {
  readonly #options: PidOptions
  #latestTimeMs = -1
  #latestRate = -1
  #latestError = -1
  #isFirst = true

  constructor(options: PidOptions) {
    this.#options = options
  }

  /**
   * Returns the new rate, or undefined when the sample is out of order, empty or took no time. The
   * first sample only initializes the rate.
   */
  compute(sample: RateSample): number | undefined {
    const { timeMs, records, processingDelayMs, schedulingDelayMs } = sample
    if (timeMs <= this.#latestTimeMs || records <= 0 || processingDelayMs <= 0) return undefined
    const { batchMs, proportional, integral, derived, minRate } = this.#options
    const sinceUpdateS = (timeMs - this.#latestTimeMs) / 1000
    const processingRate = (records / processingDelayMs) * 1000
    const error = this.#latestRate - processingRate
    // Records that wait because batches started late, per batch: the integral of past errors.
    const historicalError = (schedulingDelayMs * processingRate) / batchMs
    const errorChange = (error - this.#latestError) / sinceUpdateS
    const correction = proportional * error + integral * historicalError + derived * errorChange
    this.#latestTimeMs = timeMs
    if (this.#isFirst) {
      this.#isFirst = false
      this.#latestRate = processingRate
      this.#latestError = 0
      return undefined
    }
    this.#latestError = error
    this.#latestRate = Math.max(this.#latestRate - correction, minRate)
    return this.#latestRate
  }
}

export interface RateSplit {
  /** Total over all partitions, in records per second. */
  readonly rate: number
  /** Unread offsets of each partition. */
  readonly lags: readonly number[]
  /** Records per second; 0 means no limit. */
  readonly maxRatePerPartition: number
  /** Records of one batch. */
  readonly minRatePerPartition: number
  /** Target time of a batch, in seconds. */
  readonly batchSeconds: number
  /** Seconds of arrivals that the batch covers; scales the limit per partition. */
  readonly boundSeconds?: number
}

/**
 * Returns the maximum number of records that a batch reads of each partition: the rate is divided
 * in proportion to lag. As in Spark, the minimum is applied last and so overrides
 * `maxRatePerPartition`.
 */
export function splitRate(split: RateSplit): number[] {
  const { rate, lags, maxRatePerPartition, minRatePerPartition, batchSeconds } = split
  const { boundSeconds = batchSeconds } = split
  const totalLag = lags.reduce((sum, lag) => sum + lag, 0)
  const most = maxRatePerPartition > 0 ? maxRatePerPartition * boundSeconds : Infinity
  return lags.map((lag) => {
    const part = lag === 0 ? 0 : (lag / totalLag) * rate * batchSeconds
    return Math.max(Math.floor(Math.min(part, most)), minRatePerPartition)
  })
}
