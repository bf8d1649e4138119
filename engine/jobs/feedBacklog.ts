// Bytes that a feed has written and the job has not counted yet, as the topic stores them. Without
// this bound, topics with a size limit would remove records before they are counted.

import { recordBatchOverheadBytes } from '../../protocol/kafka/records/recordBatch.ts'

/**
 * Lengths (of the record, its key, value and headers), attributes and deltas, each at its maximum.
 */
const recordFieldsBytes = 19
/** The name and 13 digits, each with its length. */
const timestampHeaderBytes = 1 + 'timestamp'.length + 1 + 13
const hostHeaderBytes = 1 + 'host'.length + 2

/**
 * Maximum overhead of a line stored as a record with the headers `timestamp` and `host`, in bytes.
 */
export function recordOverheadBytes(host: string): number {
  return recordFieldsBytes + timestampHeaderBytes + hostHeaderBytes + Buffer.byteLength(host)
}

export interface FeedBacklogOptions {
  readonly mostBytes: number
  /** Per record, beside its line. */
  readonly recordOverheadBytes: number
  /** Partitions of the topic: a small write may become a record batch in each of them. */
  readonly partitions: number
  /** Lines counted since the feed began. */
  countedLines(): number
}

interface Mark {
  readonly lines: number
  readonly bytes: number
}

export class FeedBacklog {
  readonly #options: FeedBacklogOptions
  /** Totals after each write whose lines are not all counted. */
  #marks: Mark[] = []
  #written: Mark = { lines: 0, bytes: 0 }
  #countedBytes = 0

  constructor(options: FeedBacklogOptions) {
    this.#options = options
  }

  /** Whether another write may proceed; it may exceed the limit by itself. */
  get hasRoom(): boolean {
    return this.uncountedBytes < this.#options.mostBytes
  }

  get uncountedBytes(): number {
    const counted = this.#options.countedLines()
    const open = this.#marks.findIndex(({ lines }) => lines > counted)
    const done = open === -1 ? this.#marks.length : open
    if (done > 0) {
      this.#countedBytes = this.#marks[done - 1]!.bytes
      this.#marks = this.#marks.slice(done)
    }
    return this.#written.bytes - this.#countedBytes
  }

  wrote(lines: number, bytes: number): void {
    const { partitions, recordOverheadBytes } = this.#options
    const batchBytes = Math.min(lines, partitions) * recordBatchOverheadBytes
    const overheadBytes = lines * recordOverheadBytes + batchBytes
    this.#written = {
      lines: this.#written.lines + lines,
      bytes: this.#written.bytes + bytes + overheadBytes,
    }
    this.#marks.push(this.#written)
  }
}
