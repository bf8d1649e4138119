// What the finished tasks of the batch that runs have told: records and bytes by range, event times, rejected
// records, the oldest timestamp. Tasks share what they read and are run again, so the same thing may be told
// many times; the account has it once. An attempt that is given up takes its account with it.

import { EngineError } from '../engineError.ts'
import type { EventTime, TaskReport } from '../executor/task.ts'
import {
  type OffsetRange,
  olderTimestamp,
  type RangeRead,
  type RejectedRecord,
  rangeKey,
} from '../sources/scan.ts'

/** Rejected records of one batch that are kept for their dead letter topic and the log. */
export const maxRejectedRecords = 100_000

export class BatchAccount {
  readonly batchId: number
  readonly #own: ReadonlySet<string>
  readonly #reads = new Map<string, RangeRead>()
  readonly #eventTimes = new Map<string, EventTime>()
  readonly #rejected = new Map<string, RejectedRecord>()
  #oldestTimestampMs: number | undefined
  #hasTooManyRejected = false

  constructor({
    batchId,
    ranges,
  }: { readonly batchId: number; readonly ranges: readonly OffsetRange[] }) {
    this.batchId = batchId
    this.#own = new Set(ranges.map(rangeKey))
  }

  /** The smallest record timestamp that tasks met; undefined when they met none. */
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

  /** Each record once for each policy that left it out, in the order of topics, partitions and offsets. */
  get rejected(): readonly RejectedRecord[] {
    return [...this.#rejected.values()].sort(byPlace)
  }

  taskFinished({ oldestTimestampMs, ranges, eventTimes, rejected }: TaskReport): void {
    this.#oldestTimestampMs = olderTimestamp(this.#oldestTimestampMs, oldestTimestampMs)
    for (const read of ranges) {
      const key = rangeKey(read.range)
      if (this.#own.has(key)) this.#reads.set(key, read)
    }
    for (const noted of eventTimes) this.#note(noted)
    for (const record of rejected) this.#reject(record)
  }

  /** Throws REJECTED_TOO_MANY when there were more rejected records than are kept. */
  requireComplete(): void {
    if (!this.#hasTooManyRejected) return
    throw new EngineError(
      'REJECTED_TOO_MANY',
      `batch ${this.batchId} has more than ${maxRejectedRecords} rejected records: look at the format of the topic, ` +
        'or let a batch read fewer records',
    )
  }

  #note(noted: EventTime): void {
    const key = `${noted.watermark}/${noted.source}`
    const known = this.#eventTimes.get(key)
    if (known === undefined || known.timeMs < noted.timeMs) this.#eventTimes.set(key, noted)
  }

  #reject(record: RejectedRecord): void {
    const { topic, partition, offset, onError } = record
    const where = onError === 'skip' ? '' : onError.deadLetter
    const key = `${topic}/${partition}/${offset}/${where}`
    if (this.#rejected.has(key)) return
    if (this.#rejected.size < maxRejectedRecords) this.#rejected.set(key, record)
    else this.#hasTooManyRejected = true
  }
}

function byPlace(one: RejectedRecord, other: RejectedRecord): number {
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1
  return one.partition - other.partition || one.offset - other.offset
}
