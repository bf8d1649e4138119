// How much of each partition a batch reads. The smallest of these bounds holds: records per partition, bytes
// of the batch, the rate at which batches are processed, and what fitted after a batch had to be split.
// Bounds make a batch smaller and never empty: a partition with unread records gives at least one.
//
// The rate is Spark's, with one difference that follows from merging intervals: a batch that overruns its
// interval costs no scheduling delay here, because the next batch stands for all intervals that have passed.
// A small batch measures mostly the fixed cost of a batch, and its rate would throttle a job that keeps up
// for ever. So samples count only from batches that took at least half of the time aimed at, and from
// batches that the rate itself has bounded.

import type { OffsetRange, RangeRead } from '../sources/scan.ts'
import { offsetsIn, type PartitionEnds } from './rangePlan.ts'
import { PidRateEstimator, splitRate } from './rateEstimator.ts'
import type { RateConf } from './rateOptions.ts'

export interface RateLimitsOptions {
  readonly batchIntervalMs: number
  readonly maxRecordsPerPartition: number
  /** Of record batches as they lie in the log, estimated from what was read before. */
  readonly maxBatchBytes: number
  readonly conf: RateConf
}

/** The most offsets that a batch reads of a partition. */
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
  /** A batch that a crash or a split made run again says nothing about time. */
  readonly isRepeated: boolean
}

/** Of a topic that was never read. A first batch of larger records is larger than its bound by as much. */
export const guessedRecordBytes = 4096
const leastTargetMs = 5000
/** By which a bound that a split has left grows with each batch that fits, up to a part of what did not. */
const growth = 1.25
const partOfTooLarge = 0.8
/** By which that grows in turn: what was too large once may fit later, and trying costs a failed attempt. */
const forgetting = 1.02

export class RateLimits {
  readonly #options: RateLimitsOptions
  readonly #targetMs: number
  readonly #estimator: PidRateEstimator
  #rate: number | undefined
  #isBoundByRate = false
  /** Bytes of an offset, by topic; Infinity where nobody tells: such a topic has no bound by bytes. */
  readonly #offsetBytes = new Map<string, number>()
  /** Offsets that a batch may have after one was split. */
  #fitting = Infinity
  /** Offsets of a batch that was split. */
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

  /** The rate that bounds batches, in records per second; undefined while none does. */
  get rate(): number | undefined {
    const { conf } = this.#options
    if (!conf['spark.streaming.backpressure.enabled']) return undefined
    return this.#rate ?? (conf['spark.streaming.backpressure.initialRate'] || undefined)
  }

  /**
   * For how long a batch gets records at the rate. A rate that was measured is how fast a batch goes through
   * them; the initial one is how fast they are to be taken from the topic.
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

  /** A batch is committed. */
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

  /** A batch with ranges `tooLarge` did not fit, and is tried with `smaller` ones. */
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
    // The intervals that a job was away for are not made up for in one batch.
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

  /** The part of all unread offsets that fits; 1 or more when all do. */
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
      // Larger records count at once; smaller ones have to last.
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
