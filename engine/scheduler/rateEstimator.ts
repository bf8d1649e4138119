// How many records per second a job can process, estimated from the batches that it has finished: Spark's
// PIDRateEstimator, formula and order of updates included. Pure; the unit of every rate is records per second.

export interface PidOptions {
  /** Time of a batch that the estimate aims at, in ms; Spark's batch interval. */
  readonly batchMs: number
  readonly proportional: number
  readonly integral: number
  readonly derived: number
  readonly minRate: number
}

export interface RateSample {
  /** When the batch had finished, in ms. */
  readonly timeMs: number
  readonly records: number
  readonly processingDelayMs: number
  /** How long after its nominal time the batch began. */
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
   * The new rate; undefined when the sample says nothing: it is out of order, empty, or took no time. The
   * first sample only gives the rate from which the next one starts.
   */
  compute(sample: RateSample): number | undefined {
    const { timeMs, records, processingDelayMs, schedulingDelayMs } = sample
    if (timeMs <= this.#latestTimeMs || records <= 0 || processingDelayMs <= 0) return undefined
    const { batchMs, proportional, integral, derived, minRate } = this.#options
    const sinceUpdateS = (timeMs - this.#latestTimeMs) / 1000
    const processingRate = (records / processingDelayMs) * 1000
    const error = this.#latestRate - processingRate
    // Records that wait because batches began late, per batch: what the sum of past errors has led to.
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
  /** Over all partitions, in records per second. */
  readonly rate: number
  /** Unread offsets by partition. */
  readonly lags: readonly number[]
  /** Records per second; 0 for no bound. */
  readonly maxRatePerPartition: number
  /** Records of one batch. */
  readonly minRatePerPartition: number
  /** For how long a batch is to take, in seconds. */
  readonly batchSeconds: number
  /** Seconds of arrival that the batch stands for, by which the bound of a partition counts. */
  readonly boundSeconds?: number
}

/**
 * The most records that a batch reads of each partition: of the rate, a partition gets the part that its lag
 * is of all lag. The floor comes last, as in Spark, so it also lifts what `maxRatePerPartition` bounds.
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
