// The records of one consumer group on their way to the log. Records that were decided together are
// written as one batch, and an answer is returned only once all records that it depends on are
// durable. A failed write leaves the state ahead of the log: its records, and those of later writes
// in flight, are written again with the next write, until log and state agree.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import { failedAnswer, type GroupAnswer, type GroupEffect } from '../groupOutcome.ts'
import type { GroupRecord } from '../groupRecords.ts'

/** A write in flight. Plain data. */
export interface JournalWrite {
  readonly writeId: number
  readonly records: readonly GroupRecord[]
  /** Answers that are returned once the write is durable. */
  readonly answers: GroupAnswer[]
  /** An earlier write failed: the records of this write are pending again. */
  isSpoiled: boolean
}

export class RecordJournal {
  readonly #effects: GroupEffect[]
  #decided: GroupRecord[] = []
  /** Writes in flight, in the order in which they were sent, which is the order of the log. */
  #inFlight: JournalWrite[] = []
  /** Records of failed writes: the latest one of each subject. */
  readonly #lost = new Map<string, GroupRecord>()
  #nextWriteId = 1

  /** `effects` is the group's list, into which writes and answers go. */
  constructor(effects: GroupEffect[]) {
    this.#effects = effects
  }

  /**
   * Takes an array, not rest arguments: a large group has more records than a call takes arguments.
   */
  add(records: readonly GroupRecord[]): void {
    for (const record of records) this.#decided.push(record)
  }

  /**
   * Writes the pending records. The answer is returned once all of them are durable: at once, when
   * nothing is pending or in flight.
   */
  flush(answer?: GroupAnswer): void {
    const answers = answer ? [answer] : []
    const records = [...this.#lost.values(), ...this.#decided]
    this.#lost.clear()
    this.#decided = []
    const last = this.#inFlight.at(-1)
    if (records.length > 0) this.#send(records, answers)
    else if (last) last.answers.push(...answers)
    else this.#effects.push(...answers)
  }

  /** The writes in flight, in order. */
  get inFlight(): readonly JournalWrite[] {
    return this.#inFlight
  }

  /** Returns the records that are not known to be in the log. */
  unsettled(): GroupRecord[] {
    const inFlight = this.#inFlight.flatMap(({ records }) => records)
    return [...inFlight, ...this.#lost.values(), ...this.#decided]
  }

  /** Drops the records that are not in flight yet. */
  discard(): void {
    this.#lost.clear()
    this.#decided = []
  }

  /** The write is durable, or has failed. */
  written(writeId: number, isDurable: boolean): void {
    const at = this.#inFlight.findIndex((each) => each.writeId === writeId)
    const write = this.#inFlight[at]
    assert(write, `write ${writeId} of a group is in flight, and is reported once`)
    if (!isDurable) {
      for (const spoiled of this.#inFlight.slice(at)) this.#lose(spoiled)
    }
    this.#inFlight.splice(at, 1)
    const isLost = !isDurable || write.isSpoiled
    for (const answer of write.answers) {
      const error = ErrorCode.coordinatorNotAvailable
      this.#effects.push(isLost ? failedAnswer(answer, error) : answer)
    }
  }

  #send(records: readonly GroupRecord[], answers: GroupAnswer[]): void {
    const writeId = this.#nextWriteId++
    this.#inFlight.push({ writeId, records, answers, isSpoiled: false })
    this.#effects.push({ type: 'write', records, step: { type: 'journaled', writeId } })
  }

  #lose(write: JournalWrite): void {
    if (write.isSpoiled) return
    write.isSpoiled = true
    for (const record of write.records) {
      const key = subjectOf(record)
      this.#lost.delete(key)
      this.#lost.set(key, record)
    }
  }
}

/**
 * Returns the subject of a record. Of several records with one subject, only the last one counts.
 */
export function subjectOf(record: GroupRecord): string {
  const { value: _, ...subject } = record
  return JSON.stringify(subject)
}
