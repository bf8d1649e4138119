// Limits how much a batch reads of each partition: the smallest of records per partition, bytes per
// batch, the processing rate, and what fitted after a split. A limit never makes a batch empty: a
// partition with unread records gives at least one.
//
// The rate is Spark's, with one difference that follows from merging intervals: a batch that
// overruns its interval causes no scheduling delay here, because the next batch covers all
// intervals that have passed. A small batch mostly measures the fixed cost of a batch, and its rate
// would throttle a job that keeps up. So only batches that took at least half of the target time,
// or that the rate itself limited, are sampled.

import type { OffsetRange, RangeRead } from '../sources/scan.ts'
import type { PartitionEnds } from '../sources/topicOffsets.ts'
import { offsetsIn } from './rangePlan.ts'
import { PidRateEstimator, splitRate } from './rateEstimator.ts'
import type { RateConf } from './rateOptions.ts'

export interface RateLimitsOptions {
  readonly batchIntervalMs: number
  readonly maxRecordsPerPartition: number
  /** Bytes of record batches in the log, estimated from earlier reads. */
  readonly maxBatchBytes: number
  readonly conf: RateConf
}

/** Returns the maximum number of offsets that a batch reads of a partition. */
export type PartitionLimits = (topic: string, partition: number) => number

export interface BatchToPlan {
  readonly timeMs: number
  readonly ends: readonly PartitionEnds[]
  readonly previous?:
    | { readonly timeMs: number; readonly ranges: readonly OffsetRange[] }
    | undefined
}

export interface FinishedBatch {
  readonly timeMs: number
  readonly startedMs: number
  readonly finishedMs: number
  readonly records: number
  readonly ranges: readonly OffsetRange[]
  /** Ranges of the batch that were read to their ends. */
  readonly reads: readonly RangeRead[]
  /** Whether the batch was rerun after a crash or a split; its time says nothing about the rate. */
  readonly isRepeated: boolean
}

/**
 * Assumed size of a record of a topic that was never read. The first batch of a topic with larger
 * records exceeds its limit in proportion.
 */
export const guessedRecordBytes = 4096
const leastTargetMs = 5000
/**
 * Growth factor of the limit after a split, per batch that fits; up to `partOfTooLarge` of the size
 * that did not fit.
 */
const growth = 1.25
const partOfTooLarge = 0.8
/**
 * Growth factor of the size that did not fit: it may fit later, but each try costs a failed
 * attempt.
 */
const forgetting = 1.02

export class RateLimits {
  readonly #options: RateLimitsOptions
  readonly #targetMs: number
  readonly #estimator: PidRateEstimator
  #rate: number | undefined
  #isBoundByRate = false
  /** Bytes per offset, by topic. Infinity when the source reports none: no limit by bytes then. */
  readonly #offsetBytes = new Map<string, number>()
  /** Maximum offsets of a batch since the last split. */
  #fitting = Infinity
  /** Offsets of the last batch that was split. */
  #tooLarge = Infinity

  constructor(options: RateLimitsOptions) {
    const { batchIntervalMs, conf } = options
    this.#options = options
    this.#targetMs =
      conf['millrace.backpressure.targetBatchMs'] || Math.max(batchIntervalMs, leastTargetMs)
    this.#estimator = new PidRateEstimator({
      batchMs: this.#targetMs,
      proportional: conf['spark.streaming.backpressure.pid.proportional'],
      integral: conf['spark.streaming.backpressure.pid.integral'],
      derived: conf['spark.streaming.backpressure.pid.derived'],
      minRate: conf['spark.streaming.backpressure.pid.minRate'],
    })
  }

  /** The rate that limits batches, in records per second; undefined when none does. */
  get rate(): number | undefined {
    const { conf } = this.#options
    if (!conf['spark.streaming.backpressure.enabled']) return undefined
    return this.#rate ?? (conf['spark.streaming.backpressure.initialRate'] || undefined)
  }

  /**
   * Time of reading that the rate is multiplied by, in ms. A measured rate is a rate of processing,
   * so it covers the target time; the initial rate is a rate of reading from the topic.
   */
  #batchMs(boundMs: number): number {
    return this.#rate === undefined ? boundMs : this.#targetMs
  }

  plan(batch: BatchToPlan): PartitionLimits {
    const { maxRecordsPerPartition } = this.#options
    const lags = lagsOf(batch)
    const byRate = this.#rateLimits(batch, lags)
    const part = Math.min(this.#partByBytes(batch.ends, lags), this.#fitting / sum(lags))
    const limits = new Map<string, number>()
    this.#isBoundByRate = false
    for (const [at, { topic, partition }] of batch.ends.entries()) {
      const lag = lags[at]!
      const others = Math.min(maxRecordsPerPartition, part < 1 ? Math.floor(lag * part) : lag)
      const rated = byRate[at]!
      if (rated < Math.min(others, lag)) this.#isBoundByRate = true
      limits.set(keyOf(topic, partition), Math.max(1, Math.min(others, rated)))
    }
    return (topic, partition) => limits.get(keyOf(topic, partition)) ?? maxRecordsPerPartition
  }

  /** Called when a batch is committed. */
  finished(batch: FinishedBatch): void {
    this.#measure(batch.reads)
    if (!batch.isRepeated && offsetsIn(batch.ranges) * 2 >= this.#fitting) this.#grow()
    const { timeMs, startedMs, finishedMs, records } = batch
    const processingDelayMs = finishedMs - startedMs
    const isTelling = processingDelayMs * 2 >= this.#targetMs || this.#isBoundByRate
    if (batch.isRepeated || !isTelling) return
    const schedulingDelayMs = Math.max(0, startedMs - timeMs)
    const sample = { timeMs: finishedMs, records, processingDelayMs, schedulingDelayMs }
    this.#rate = this.#estimator.compute(sample) ?? this.#rate
  }

  /** Called when a batch with ranges `tooLarge` failed and is retried with `smaller`. */
  split(tooLarge: readonly OffsetRange[], smaller: readonly OffsetRange[]): void {
    this.#tooLarge = offsetsIn(tooLarge)
    this.#fitting = Math.max(1, offsetsIn(smaller))
  }

  #grow(): void {
    const most = Math.max(this.#fitting, this.#tooLarge * partOfTooLarge)
    this.#fitting = Math.min(this.#fitting * growth, most)
    this.#tooLarge *= forgetting
  }

  #rateLimits({ timeMs, ends, previous }: BatchToPlan, lags: readonly number[]): number[] {
    const { conf, batchIntervalMs } = this.#options
    const { rate } = this
    const maxRatePerPartition = conf['spark.streaming.kafka.maxRatePerPartition']
    if (rate === undefined && maxRatePerPartition === 0) return ends.map(() => Infinity)
    const passedMs = timeMs - (previous?.timeMs ?? timeMs - batchIntervalMs)
    // Intervals that passed while the job was down are not all read in one batch.
    const boundMs = Math.max(batchIntervalMs, Math.min(passedMs, this.#targetMs))
    return splitRate({
      rate: rate ?? Infinity,
      lags,
      maxRatePerPartition,
      minRatePerPartition: conf['spark.streaming.kafka.minRatePerPartition'],
      batchSeconds: this.#batchMs(boundMs) / 1000,
      boundSeconds: boundMs / 1000,
    })
  }

  /** Fraction of all unread offsets that fits; 1 or more when all do. */
  #partByBytes(ends: readonly PartitionEnds[], lags: readonly number[]): number {
    const bytes = ends.map(({ topic }, at) => {
      const each = this.#offsetBytes.get(topic) ?? guessedRecordBytes
      return each === Infinity ? 0 : lags[at]! * each
    })
    return this.#options.maxBatchBytes / Math.max(1, sum(bytes))
  }

  #measure(reads: readonly RangeRead[]): void {
    const perTopic = new Map<string, { offsets: number; bytes: number }>()
    for (const { range, records, bytes = Infinity } of reads) {
      if (records === 0) continue
      const all = perTopic.get(range.topic) ?? { offsets: 0, bytes: 0 }
      all.offsets += offsetsIn([range])
      all.bytes += bytes
      perTopic.set(range.topic, all)
    }
    for (const [topic, { offsets, bytes }] of perTopic) {
      const now = bytes / offsets
      const before = this.#offsetBytes.get(topic) ?? now
      // Larger records take effect at once, smaller ones gradually.
      const isKnown = Number.isFinite(before) && Number.isFinite(now)
      this.#offsetBytes.set(topic, isKnown ? Math.max(now, (before + now) / 2) : now)
    }
  }
}

function lagsOf({ ends, previous }: BatchToPlan): number[] {
  const positions = new Map(
    previous?.ranges.map(({ topic, partition, until }) => [keyOf(topic, partition), until]),
  )
  return ends.map(({ topic, partition, earliest, latest, start = earliest, resume }) => {
    const from = resume ?? positions.get(keyOf(topic, partition)) ?? start
    return Math.max(0, latest - from)
  })
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

function keyOf(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
