// The record that is on its way through the operators of this thread. Rows are pushed synchronously, from
// the scanner to the last sink, so there is one record at a time. An operator chain that guards itself
// against failures looks here for the record that its element comes of, and is told when the record is
// over: one record may give a chain many elements, and the chain emits all that they give, or nothing.

import { assert } from '../../protocol/runtime/assert.ts'
import type { OnRecordError } from './scan.ts'
import type { SourceRecord } from './sourceRecord.ts'

export interface RecordGuard {
  /** All elements of the record have been pushed. */
  recordEnded(): void
}

class RecordInHand {
  /** Undefined while elements are pushed that are not of one record, or whose source fails at the first error. */
  record: SourceRecord | undefined
  onError: OnRecordError = 'fail'
  readonly #guards: RecordGuard[] = []

  /** From now on `record` shows what is pushed, until `release`. */
  take(record: SourceRecord, onError: OnRecordError): void {
    assert(this.record === undefined, 'a record is pushed while another one is')
    this.record = record
    this.onError = onError
  }

  /** Calls `guard` at the end of this record, after the guards that were registered before. */
  atEnd(guard: RecordGuard): void {
    this.#guards.push(guard)
  }

  /** What guards emit now may reach guards behind them: those are told last. */
  ended(): void {
    const guards = this.#guards
    for (let at = 0; at < guards.length; at++) guards[at]!.recordEnded()
    guards.length = 0
  }

  release(): void {
    this.record = undefined
    this.onError = 'fail'
    this.#guards.length = 0
  }
}

/** Of this thread. */
export const recordInHand = new RecordInHand()
