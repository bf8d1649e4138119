// Reads records of several partitions, oldest or newest first, until the page is full or a bound is
// reached: records read, bytes fetched, bytes of the response, or time. Returns what it has covered
// and where the next page starts, so that no record is repeated or skipped.

import { MalformedError } from '../../../../../protocol/bytes/malformed.ts'
import type { Cluster } from '../../../../../protocol/client/cluster/cluster.ts'
import type { Isolation } from '../../../../../protocol/client/consumer/isolation.ts'
import { PartitionReader } from '../../../../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../../../../protocol/kafka/records/recordBatch.ts'
import { RecordCursor } from '../../../../../protocol/kafka/records/recordCursor.ts'
import type { Clock } from '../../../../../protocol/runtime/time/clock.ts'
import { RestError } from '../../restError.ts'
import type { RecordFilter } from './recordFilter.ts'
import type { OffsetRange } from './recordRange.ts'
import { type ShownRecord, showRecord } from './shownRecord.ts'

export interface BrowseQuestion {
  readonly topic: string
  readonly ranges: readonly OffsetRange[]
  readonly order: 'newest' | 'oldest'
  readonly isolation: Isolation
  readonly filter: RecordFilter | undefined
  readonly mostValueBytes: number
  readonly bounds: BrowseBounds
}

export interface BrowseBounds {
  readonly limit: number
  readonly records: number
  readonly fetchedBytes: number
  readonly answerBytes: number
  readonly timeMs: number
}

export type StoppedBy = 'end' | 'limit' | 'records' | 'bytes' | 'time'

export interface BrowseResult {
  readonly records: readonly ShownRecord[]
  readonly stoppedBy: StoppedBy
  /** Records read, including those that the filter rejects. */
  readonly recordsRead: number
  readonly bytesFetched: number
  /** Ranges by partition: covered by this page, and left for later pages. */
  readonly covered: readonly OffsetRange[]
  readonly left: readonly OffsetRange[]
}

const fetchBytes = 1024 * 1024
/** Bound of one batch: no sane broker configuration stores a larger one. */
export const mostBatchBytes = 64 * 1024 * 1024
/** Offsets per step for newest first; grows up to `largestStep`. */
const firstStep = 200
const largestStep = 5_000
/** A step that fetches more bytes is repeated with a smaller one. */
const mostStepBytes = 4 * fetchBytes

export class RecordBrowser {
  readonly #cluster: Cluster
  readonly #clock: Clock

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  async browse(question: BrowseQuestion, signal?: AbortSignal): Promise<BrowseResult> {
    const lane = this.#cluster.newLane('browse')
    try {
      return await new Browse(this.#cluster, this.#clock, question, lane, signal).run()
    } finally {
      this.#cluster.closeLane(lane)
    }
  }
}

/** Progress in one partition. */
interface PartitionState {
  readonly range: OffsetRange
  readonly reader: PartitionReader
  /** The range not yet read. */
  low: number
  high: number
  step: number
  /** Matching records, in the order of the response. */
  readonly found: ShownRecord[]
}

class Browse {
  readonly #clock: Clock
  readonly #question: BrowseQuestion
  readonly #signal: AbortSignal | undefined
  readonly #partitions: readonly PartitionState[]
  readonly #endMs: number
  #stepsTaken = 0
  #recordsRead = 0
  #bytesFetched = 0
  #bytesFound = 0

  constructor(
    cluster: Cluster,
    clock: Clock,
    question: BrowseQuestion,
    lane: string,
    signal: AbortSignal | undefined,
  ) {
    this.#clock = clock
    this.#question = question
    this.#signal = signal
    this.#endMs = clock.monotonicMs() + question.bounds.timeMs
    const { topic, isolation } = question
    const retryTimeoutMs = question.bounds.timeMs
    this.#partitions = question.ranges.map((range) => {
      const { partition, low, high } = range
      const options = { topic, partition, isolation, lane, retryTimeoutMs }
      const reader = new PartitionReader(cluster, {
        ...options,
        maxBytes: fetchBytes,
        maxWaitMs: 0,
      })
      return { range, reader, low, high, step: firstStep, found: [] }
    })
  }

  async run(): Promise<BrowseResult> {
    const exhausted = await this.#read()
    const records = this.#taken()
    const taken = new Map<number, number>()
    for (const { partition } of records) taken.set(partition, (taken.get(partition) ?? 0) + 1)
    const left = this.#partitions.map((state) => this.#left(state, taken))
    const isEnd = left.every(({ low, high }) => low >= high)
    return {
      records,
      stoppedBy: isEnd ? 'end' : this.#reason(records, exhausted),
      recordsRead: this.#recordsRead,
      bytesFetched: this.#bytesFetched,
      covered: this.#partitions.map(({ range }, index) => covered(range, left[index]!)),
      left,
    }
  }

  #reason(records: readonly ShownRecord[], exhausted: StoppedBy | undefined): StoppedBy {
    if (records.length >= this.#question.bounds.limit) return 'limit'
    return exhausted ?? 'bytes'
  }

  /**
   * Takes one step per partition in turn, so that no partition waits for another to be read
   * completely.
   */
  async #read(): Promise<StoppedBy | undefined> {
    for (;;) {
      const wanting = this.#partitions.filter((state) => this.#wantsMore(state))
      if (wanting.length === 0) return undefined
      for (const state of wanting) {
        const exhausted = this.#exhausted()
        if (exhausted !== undefined) return exhausted
        if (this.#question.order === 'oldest') await this.#forwards(state)
        else await this.#backwards(state)
      }
    }
  }

  #wantsMore({ low, high, found }: PartitionState): boolean {
    return low < high && found.length < this.#question.bounds.limit
  }

  /** A first step is always taken: otherwise no page would make progress. */
  #exhausted(): StoppedBy | undefined {
    const { records, fetchedBytes, answerBytes } = this.#question.bounds
    if (this.#signal?.aborted) return 'time'
    if (this.#stepsTaken === 0) return undefined
    if (this.#recordsRead >= records) return 'records'
    if (this.#bytesFetched >= fetchedBytes || this.#bytesFound >= answerBytes) return 'bytes'
    if (this.#clock.monotonicMs() >= this.#endMs) return 'time'
    return undefined
  }

  async #forwards(state: PartitionState): Promise<void> {
    const { batches, nextOffset } = await this.#fetch(state, state.low)
    const next = Math.min(nextOffset, state.high)
    let stoppedAt: number | undefined
    this.#look(state, batches, state.low, next, (record) => {
      this.#find(state, record)
      if (state.found.length < this.#question.bounds.limit) return true
      stoppedAt = record.offset + 1
      return false
    })
    state.low = stoppedAt ?? next
    this.#stepsTaken++
  }

  /** Reads the last offsets of the remaining range, in ascending order. */
  async #backwards(state: PartitionState): Promise<void> {
    const from = Math.max(state.low, state.high - state.step)
    const found: ShownRecord[] = []
    let bytes = 0
    for (let at = from; at < state.high; ) {
      const { batches, nextOffset } = await this.#fetch(state, at)
      bytes += batches.length
      if (bytes > mostStepBytes && state.step > 1 && nextOffset < state.high) {
        state.step = Math.max(1, Math.floor(state.step / 8))
        return
      }
      this.#look(state, batches, at, state.high, (record) => found.push(record) > 0)
      at = nextOffset
    }
    for (const record of found.reverse()) this.#find(state, record)
    state.high = from
    this.#stepsTaken++
    if (bytes < fetchBytes) state.step = Math.min(largestStep, state.step * 2)
  }

  #find(state: PartitionState, record: ShownRecord): void {
    state.found.push(record)
    this.#bytesFound += shownSize(record, this.#question.mostValueBytes)
  }

  async #fetch({ reader, range, high }: PartitionState, offset: number) {
    const { batches, nextOffset } = await reader.fetch(offset)
    this.#bytesFetched += Math.max(1, batches.length)
    if (nextOffset > offset) return { batches, nextOffset }
    // The log ends before its former end: it was truncated, or the records after it are no longer
    // stable.
    return { batches, nextOffset: Math.max(high, range.high) }
  }

  /**
   * Passes matching records of `batches` in [from, until) to `take`, in order, until it returns
   * false.
   */
  #look(
    { range: { partition } }: PartitionState,
    batches: Buffer,
    from: number,
    until: number,
    take: (record: ShownRecord) => boolean,
  ): void {
    const { filter, mostValueBytes, topic } = this.#question
    try {
      for (const batch of splitBatches(batches)) {
        if (batch.magic !== 2) throw oldFormat(topic, partition, batch.magic)
        if (batch.nextOffset <= from) continue
        if (batch.baseOffset >= until) return
        const cursor = new RecordCursor(batch, mostBatchBytes)
        while (cursor.next()) {
          if (cursor.offset < from) continue
          if (cursor.offset >= until) return
          this.#recordsRead++
          if (filter !== undefined && !filter(cursor)) continue
          const record = showRecord(partition, batch, cursor, mostValueBytes)
          if (!take(record)) return
        }
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      throw unreadable(topic, partition, from, error)
    }
  }

  /** The found records of all partitions, merged by timestamp, up to the size of the page. */
  #taken(): ShownRecord[] {
    const { order, bounds, mostValueBytes } = this.#question
    const sign = order === 'oldest' ? 1 : -1
    const next = new Map(this.#partitions.map((state) => [state, 0]))
    const records: ShownRecord[] = []
    let bytes = 0
    while (records.length < bounds.limit) {
      let first: { state: PartitionState; record: ShownRecord } | undefined
      for (const [state, index] of next) {
        const record = state.found[index]
        if (record === undefined) continue
        const isFirst =
          first === undefined || sign * (record.timestamp_ms - first.record.timestamp_ms) < 0
        if (isFirst) first = { state, record }
      }
      if (first === undefined) break
      bytes += shownSize(first.record, mostValueBytes)
      if (records.length > 0 && bytes > bounds.answerBytes) break
      records.push(first.record)
      next.set(first.state, next.get(first.state)! + 1)
    }
    return records
  }

  /** The range for the next page, including found records that did not fit into this one. */
  #left({ range, low, high, found }: PartitionState, taken: ReadonlyMap<number, number>) {
    const { partition } = range
    const first = found[taken.get(partition) ?? 0]
    if (this.#question.order === 'oldest') {
      return { partition, low: first?.offset ?? low, high: range.high }
    }
    return { partition, low: range.low, high: first === undefined ? high : first.offset + 1 }
  }
}

function covered(range: OffsetRange, left: OffsetRange): OffsetRange {
  const { partition } = range
  return left.low > range.low
    ? { partition, low: range.low, high: left.low }
    : { partition, low: left.high, high: range.high }
}

/** Approximate size of a record in the response. */
function shownSize({ key, value, size_bytes }: ShownRecord, mostValueBytes: number): number {
  const others = size_bytes - value.size_bytes - key.size_bytes
  return 400 + others + key.size_bytes + Math.min(value.size_bytes, mostValueBytes)
}

function oldFormat(topic: string, partition: number, magic: number): RestError {
  return new RestError(
    40002,
    'UNSUPPORTED_FOR_MESSAGE_FORMAT',
    `${topic}-${partition} has records in message format ${magic}, from before Kafka 0.11`,
    'read them with an old consumer; only message format 2 can be browsed',
  )
}

function unreadable(topic: string, partition: number, offset: number, cause: Error): RestError {
  return new RestError(
    50002,
    'UNREADABLE_RECORDS',
    `failed to read the records of ${topic}-${partition} from offset ${offset}: ${cause.message}`,
    'browse from a later offset, and check the log of the broker',
    cause,
  )
}
