// The record that this thread is pushing through its operators. Rows are pushed synchronously, from
// the scanner to the last sink, so there is at most one. An operator chain that guards itself
// against failures finds here the record behind its elements, and is notified when the record ends:
// a record may give a chain many elements, and the chain emits either all of their results or none.

import { assert } from '../../protocol/runtime/assert.ts'
import type { SourceRecord } from '../rows/sourceRecord.ts'
import type { OnRecordError } from './scan.ts'

export interface RecordGuard {
  /** Called when all elements of the record have been pushed. */
  recordEnded(): void
}

class RecordInHand {
  /**
   * Undefined while the pushed elements do not belong to a single record, or their source fails at
   * the first error.
   */
  record: SourceRecord | undefined
  onError: OnRecordError = 'fail'
  readonly #guards: RecordGuard[] = []

  /** Makes `record` the current one until `release`. */
  take(record: SourceRecord, onError: OnRecordError): void {
    assert(this.record === undefined, 'a record is pushed while another one is being pushed')
    this.record = record
    this.onError = onError
  }

  /** Calls `guard` at the end of this record, after the guards registered before it. */
  atEnd(guard: RecordGuard): void {
    this.#guards.push(guard)
  }

  /**
   * Calls the guards. The output of a guard may register further guards, which are called last.
   */
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

/** The current record of this thread. */
export const recordInHand = new RecordInHand()
