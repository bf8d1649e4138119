// The reports of finished tasks of the running batch: records and bytes per range, event times,
// rejected records, the oldest timestamp. Tasks share reads and are retried, so the same range may
// be reported many times; the account counts it once. Each attempt of a batch has its own account,
// dropped with the attempt.

import type { EventTime, TaskReport } from '../executor/task.ts'
import type { RejectedRecords } from '../sources/rejectedRecords.ts'
import { type OffsetRange, olderTimestamp, type RangeRead, rangeKey } from '../sources/scan.ts'

export class BatchAccount {
  readonly batchId: number
  /** Records rejected by this attempt. */
  readonly rejected: RejectedRecords
  readonly #own: ReadonlySet<string>
  readonly #reads = new Map<string, RangeRead>()
  readonly #eventTimes = new Map<string, EventTime>()
  #oldestTimestampMs: number | undefined
  #failure: { readonly error: unknown } | undefined

  /** `rejected.begin` must already have been called for this batch. */
  constructor(
    { batchId, ranges }: { readonly batchId: number; readonly ranges: readonly OffsetRange[] },
    rejected: RejectedRecords,
  ) {
    this.batchId = batchId
    this.rejected = rejected
    this.#own = new Set(ranges.map(rangeKey))
  }

  /** The smallest record timestamp that tasks read; undefined when they read no record. */
  get oldestTimestampMs(): number | undefined {
    return this.#oldestTimestampMs
  }

  /** Ranges of this batch that tasks have read to their ends. */
  get reads(): readonly RangeRead[] {
    return [...this.#reads.values()]
  }

  /** The largest event time for each watermark and topic partition. */
  get eventTimes(): readonly EventTime[] {
    return [...this.#eventTimes.values()]
  }

  taskFinished(report: TaskReport): void {
    this.#oldestTimestampMs = olderTimestamp(this.#oldestTimestampMs, report.oldestTimestampMs)
    for (const read of report.ranges) {
      const key = rangeKey(read.range)
      if (this.#own.has(key)) this.#reads.set(key, read)
    }
    for (const noted of report.eventTimes) this.#note(noted)
    try {
      this.rejected.add(report)
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  /** Throws REJECTED_TOO_MANY when more records were rejected than can be kept. */
  requireComplete(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #note(noted: EventTime): void {
    const key = `${noted.watermark}/${noted.source}`
    const known = this.#eventTimes.get(key)
    if (known === undefined || known.timeMs < noted.timeMs) this.#eventTimes.set(key, noted)
  }
}
