// What becomes of a record at which the row format or an operator fails, when its source does not fail
// with it: the record is left out, and the task reports it with where it was and what went wrong.

import type { Sink } from '../rdd/lineage.ts'
import type { RowFormat } from '../rows/rowFormat.ts'
import { failedAtRecord } from '../userCode.ts'
import { recordInHand } from './recordInHand.ts'
import type { OnRecordError, Reject, RejectedRecord } from './scan.ts'
import type { SourceRecord } from './sourceRecord.ts'

/**
 * Pushes the row of the record in hand, whose value is `bytes[start, end)` (none when `start` is negative),
 * and tells its guards that it is over. A failure of the format leaves the record out; failures of operators
 * are caught by their own guards, and every other one is thrown.
 */
export function pushOrReject(
  bytes: Buffer,
  start: number,
  end: number,
  record: SourceRecord,
  format: RowFormat<unknown>,
  sink: Sink<unknown>,
  reject: Reject,
): void {
  if (start < 0 && !format.tombstone) return
  let row: unknown
  try {
    row = start < 0 ? format.tombstone!(record) : format.row(bytes, start, end, record)
  } catch (error) {
    reject(rejection(record, recordInHand.onError, error))
    return
  }
  sink(row)
  recordInHand.ended()
}

/** What a task reports of the record. Valid as long as the record is in hand: see `keepRejected`. */
export function rejection(
  record: SourceRecord,
  onError: OnRecordError,
  error: unknown,
): RejectedRecord {
  return new Rejection(record, onError as Exclude<OnRecordError, 'fail'>, error)
}

/**
 * A copy that may be kept and sent to another thread; it does not keep the record's batch in memory. The
 * record itself is in it only when it goes to a dead letter topic.
 */
export function keepRejected(rejected: RejectedRecord): RejectedRecord {
  const { topic, partition, offset, timestampMs, onError, error } = rejected
  const kept = { topic, partition, offset, timestampMs, onError, error }
  if (onError === 'skip' || rejected.record === undefined) return kept
  const { key, value, headers } = rejected.record
  const record = {
    key: copyOf(key),
    value: copyOf(value),
    headers: headers.map((header) => ({ key: header.key, value: copyOf(header.value) })),
  }
  return { ...kept, record }
}

/** Of an error's text, which may quote a whole record. */
const longestError = 2000

/** Texts and copies are made when they are asked for: most of many rejected records are only counted. */
class Rejection implements RejectedRecord {
  readonly onError: Exclude<OnRecordError, 'fail'>
  readonly #source: SourceRecord
  readonly #failure: unknown

  constructor(source: SourceRecord, onError: Exclude<OnRecordError, 'fail'>, failure: unknown) {
    this.#source = source
    this.onError = onError
    this.#failure = failure
  }

  get topic(): string {
    return this.#source.topic
  }

  get partition(): number {
    return this.#source.partition
  }

  get offset(): number {
    return this.#source.offset
  }

  get timestampMs(): number {
    return this.#source.timestampMs
  }

  get error(): string {
    const { topic, partition, offset } = this.#source
    const place = { topic, partition, offset, value: undefined }
    return failedAtRecord(this.#failure, place).publicMessage.slice(0, longestError)
  }

  get record(): NonNullable<RejectedRecord['record']> {
    const source = this.#source
    return { key: source.key(), value: source.value(), headers: headersOf(source) }
  }
}

/** Headers that cannot be read are no reason to lose the rest of the record. */
function headersOf(source: SourceRecord): NonNullable<RejectedRecord['record']>['headers'] {
  try {
    return source.headers()
  } catch {
    return []
  }
}

/** With memory of its own, because a clone of a view is one of all that lies around it. */
function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes)
}
