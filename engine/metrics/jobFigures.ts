// The data behind a job's metrics. Plain, because it is sent from the driver's thread to the one
// that serves the metrics. Each batch is counted once, when it commits, however rarely metrics are
// scraped.

import {
  Distribution,
  type DistributionFigures,
} from '../../protocol/telemetry/metrics/distribution.ts'
import { latencyBucketsSeconds } from '../../protocol/telemetry/metrics/metrics.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import type { RejectedRecords } from '../sources/rejectedRecords.ts'

export interface JobFigures {
  readonly name: string
  readonly state: JobStatus['state']
  readonly timeMs: number
  readonly startedMs: number
  readonly batchIntervalMs: number
  /** Whether the topics cannot be read at present. */
  readonly isWaiting: boolean
  /** Id of the newest committed batch; -1 for none. */
  readonly batchId: number
  /** Wall clock time of the newest commit of this process; undefined before the first one. */
  readonly committedMs: number | undefined
  /** Start of the running batch; undefined between batches. */
  readonly runningSinceMs: number | undefined
  /** Records of all batches since the job first started. */
  readonly recordsTotal: number
  /** Records in the log after the newest committed batch. */
  readonly lagRecords: number
  /** Age of the oldest record of the newest batch, while records are waiting; 0 when none are. */
  readonly lagMs: number
  /** By uid of the withWatermark, in milliseconds since the epoch. */
  readonly watermarks: Readonly<Record<string, number>>
  readonly batches: BatchFigures
  readonly lateRows: number
  readonly lostRecords: number
  readonly rejected: readonly RejectedCount[]
  readonly tasks: TaskFigures
  /** The rate that limits batches, in records per second; undefined when none does. */
  readonly recordsPerSecond: number | undefined
  /** Size of offset log and commit log. */
  readonly checkpointBytes: number
  readonly states: readonly StatePartition[]
}

/** Distributions over the committed batches of this process; times in seconds. */
export interface BatchFigures {
  readonly schedulingDelay: DistributionFigures
  readonly processingTime: DistributionFigures
  readonly totalDelay: DistributionFigures
  /** From the timestamp of the oldest record to the result. */
  readonly latency: DistributionFigures
  readonly checkpointTime: DistributionFigures
  readonly records: DistributionFigures
  /** Batches that were planned again with half of their offsets. */
  readonly splits: number
}

/** Rejected records, by policy. */
export interface RejectedCount {
  readonly topic: string
  readonly policy: 'skip' | 'dead_letter'
  readonly records: number
}

export interface TaskFigures {
  readonly finished: number
  readonly failed: number
  /** Attempts other than a task's first. */
  readonly retried: number
  readonly executors: number
  readonly executorsLost: number
}

/** The state of an operator in one partition. */
export interface StatePartition {
  readonly operator: string
  readonly partition: number
  /** Keys with a value. */
  readonly rows: number
  /** Bytes of encoded keys and values. */
  readonly bytes: number
}

/** The figures of one committed batch. */
export interface CountedBatch {
  readonly batchId: number
  readonly timeMs: number
  readonly startedMs: number
  readonly finishedMs: number
  readonly records: number
  readonly oldestTimestampMs: number | undefined
  readonly checkpointMs: number
}

/** Buckets from no records to more than a hundred million. */
export const recordBuckets: readonly number[] = [0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8]

export class JobCounts {
  readonly #schedulingDelay = new Distribution(latencyBucketsSeconds)
  readonly #processingTime = new Distribution(latencyBucketsSeconds)
  readonly #totalDelay = new Distribution(latencyBucketsSeconds)
  readonly #latency = new Distribution(latencyBucketsSeconds)
  readonly #checkpointTime = new Distribution(latencyBucketsSeconds)
  readonly #records = new Distribution(recordBuckets)
  readonly #rejected = new Map<string, { skip: number; dead_letter: number }>()
  readonly #states = new Map<string, StatePartition>()
  #splits = 0
  #batchId: number
  #committedMs: number | undefined
  #oldestTimestampMs: number | undefined

  /**
   * `batchId`: the newest committed batch at the start; -1 for none. `topics`: topics that the job
   * reads, whose counters start at 0, because Prometheus sees no increase in a counter whose first
   * sample is larger.
   */
  constructor(batchId: number, topics: readonly string[] = []) {
    this.#batchId = batchId
    for (const topic of topics) this.#rejected.set(topic, { skip: 0, dead_letter: 0 })
  }

  committed(batch: CountedBatch): void {
    const { timeMs, startedMs, finishedMs, oldestTimestampMs } = batch
    this.#batchId = batch.batchId
    this.#committedMs = finishedMs
    this.#oldestTimestampMs = oldestTimestampMs
    this.#schedulingDelay.observe(seconds(startedMs - timeMs))
    this.#processingTime.observe(seconds(finishedMs - startedMs))
    this.#totalDelay.observe(seconds(finishedMs - timeMs))
    if (oldestTimestampMs !== undefined) {
      this.#latency.observe(seconds(finishedMs - oldestTimestampMs))
    }
    this.#checkpointTime.observe(seconds(batch.checkpointMs))
    this.#records.observe(batch.records)
  }

  split(): void {
    this.#splits++
  }

  rejected({ counts, deadLetters }: Pick<RejectedRecords, 'counts' | 'deadLetters'>): void {
    const lettersOf = new Map<string, Set<string>>()
    for (const { topic, partition, offset } of deadLetters) {
      const letters = lettersOf.get(topic) ?? new Set()
      lettersOf.set(topic, letters.add(`${partition}/${offset}`))
    }
    for (const [topic, records] of counts) {
      const known = this.#rejected.get(topic) ?? { skip: 0, dead_letter: 0 }
      const letters = Math.min(lettersOf.get(topic)?.size ?? 0, records)
      known.dead_letter += letters
      known.skip += records - letters
      this.#rejected.set(topic, known)
    }
  }

  /** Replaces the sizes of the states that a batch has advanced. */
  advanced(states: readonly StatePartition[]): void {
    for (const state of states) this.#states.set(`${state.operator}/${state.partition}`, state)
  }

  figures(nowMs: number, lagRecords: number) {
    const rejected = [...this.#rejected].flatMap(([topic, { skip, dead_letter }]) => [
      { topic, policy: 'skip' as const, records: skip },
      { topic, policy: 'dead_letter' as const, records: dead_letter },
    ])
    return {
      ...{ batchId: this.#batchId, committedMs: this.#committedMs, rejected },
      batches: this.#batches(),
      lagMs:
        lagRecords === 0 || this.#oldestTimestampMs === undefined
          ? 0
          : Math.max(0, nowMs - this.#oldestTimestampMs),
      states: [...this.#states.values()],
    } satisfies Partial<JobFigures>
  }

  #batches(): BatchFigures {
    return {
      schedulingDelay: this.#schedulingDelay.figures(),
      processingTime: this.#processingTime.figures(),
      totalDelay: this.#totalDelay.figures(),
      latency: this.#latency.figures(),
      checkpointTime: this.#checkpointTime.figures(),
      records: this.#records.figures(),
      splits: this.#splits,
    }
  }
}

/** Not negative when the clock was set back. */
function seconds(ms: number): number {
  return Math.max(0, ms) / 1000
}
