// The rejected records of a batch, as the driver collects them from its tasks. Each counts once,
// however many tasks read it. Keeps their exact number, the first few for the log, and those that
// go to a dead letter topic. A window reads earlier batches again and rejects the same records
// again: they count in the batch that first reported them.

import { OffsetSet, offsetsOf } from './offsetSet.ts'
import type { RejectedRecord } from './scan.ts'
import { type ReportedRejections, rejectedBytes, rejectedTooMany } from './taskRejections.ts'

/** Rejected records logged with their errors; the others are only counted. */
const mostLogged = 10
/** Bytes of records for dead letter topics in one batch. */
const mostDeadLetterBytes = 64 * 1024 * 1024

interface RejectedOfBatch {
  /** By `topic/partition`: records that this batch was the first to report. */
  readonly offsets: Map<string, OffsetSet>
  /** By `deadLetter/topic/partition`. */
  readonly letters: Map<string, OffsetSet>
}

export class RejectedRecords {
  /** Batches with rejected records, by id, for as long as a window may read them again. */
  readonly #batches = new Map<number, RejectedOfBatch>()
  #batchId = -1
  #current: RejectedOfBatch = emptyBatch()
  #counts = new Map<string, number>()
  #first: RejectedRecord[] = []
  #deadLetters: RejectedRecord[] = []
  #deadLetterBytes = 0

  /**
   * Reports from now on belong to this batch. No window reaches a batch before `oldestRemembered`.
   */
  begin(batchId: number, oldestRemembered: number = batchId): void {
    for (const known of [...this.#batches.keys()]) {
      // A batch that runs again starts from zero.
      if (known < oldestRemembered || known >= batchId) this.#batches.delete(known)
    }
    this.#batchId = batchId
    this.#current = emptyBatch()
    this.#counts = new Map()
    this.#first = []
    this.#deadLetters = []
    this.#deadLetterBytes = 0
  }

  /**
   * Adds a task's report. Only for finished tasks: the next attempt of a failed task decides again
   * which records are rejected. Throws REJECTED_TOO_MANY.
   */
  add({ rejected = [], rejectedOffsets = [] }: Partial<ReportedRejections>): void {
    for (const record of rejected) {
      const { topic, partition, offset, onError } = record
      const isNew = this.#isFirst('offsets', `${topic}/${partition}`, offset)
      if (isNew) this.#count(topic)
      if (isNew && this.#first.length < mostLogged) this.#first.push(record)
      if (onError === 'skip') continue
      const letter = `${onError.deadLetter}/${topic}/${partition}`
      if (this.#isFirst('letters', letter, offset)) this.#addLetter(record)
    }
    for (const piece of rejectedOffsets) {
      const { topic, partition } = piece
      for (const offset of offsetsOf(piece)) {
        if (this.#isFirst('offsets', `${topic}/${partition}`, offset)) this.#count(topic)
      }
    }
  }

  /** Rejected records of the batch, by topic. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  get total(): number {
    let total = 0
    for (const count of this.#counts.values()) total += count
    return total
  }

  /** The first few rejected records, for the log. */
  get first(): readonly RejectedRecord[] {
    return this.#first
  }

  /** Records that must be stored in the dead letter topics before the batch is committed. */
  get deadLetters(): readonly RejectedRecord[] {
    return this.#deadLetters
  }

  #isFirst(kind: keyof RejectedOfBatch, key: string, offset: number): boolean {
    for (const batch of this.#batches.values()) {
      if (batch !== this.#current && batch[kind].get(key)?.has(offset)) return false
    }
    const known = this.#current[kind]
    let offsets = known.get(key)
    if (!offsets) {
      offsets = new OffsetSet()
      known.set(key, offsets)
      this.#batches.set(this.#batchId, this.#current)
    }
    return offsets.add(offset)
  }

  #count(topic: string): void {
    this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + 1)
  }

  #addLetter(record: RejectedRecord): void {
    this.#deadLetterBytes += rejectedBytes(record)
    if (this.#deadLetterBytes > mostDeadLetterBytes) {
      throw rejectedTooMany('a batch', mostDeadLetterBytes, this.#deadLetters.length + 1)
    }
    this.#deadLetters.push(record)
  }
}

function emptyBatch(): RejectedOfBatch {
  return { offsets: new Map(), letters: new Map() }
}
