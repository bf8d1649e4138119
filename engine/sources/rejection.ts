// Rejects a record at which the row format or an operator fails, when its source's policy is not
// `fail`: the record is left out, and the task reports where it was and what went wrong.

import type { RowFormat } from '../rows/rowFormat.ts'
import type { SourceRecord } from '../rows/sourceRecord.ts'
import { failedAtRecord } from '../userCode.ts'
import { recordInHand } from './recordInHand.ts'
import type { OnRecordError, Reject, RejectedRecord } from './scan.ts'
import type { Sink } from './sink.ts'

/**
 * Pushes the row of the record in hand, whose value is `bytes[start, end)` (negative `start`: no
 * value), and notifies its guards of its end. An error of the format rejects the record; errors of
 * operators are caught by their own guards, and all other errors are thrown.
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

/** The report of a rejected record. Valid only while the record is in hand: see `keepRejected`. */
export function rejection(
  record: SourceRecord,
  onError: OnRecordError,
  error: unknown,
): RejectedRecord {
  return new Rejection(record, onError as Exclude<OnRecordError, 'fail'>, error)
}

/**
 * Copies a report, so that it may be kept and sent to another thread without keeping the record's
 * batch in memory. Includes the record itself only when it goes to a dead letter topic.
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

/** Maximum length of an error text, which may quote a whole record. */
const longestError = 2000

/** Texts and copies are made on demand: of many rejected records, most are only counted. */
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

/** Malformed headers must not lose the rest of the record. */
function headersOf(source: SourceRecord): NonNullable<RejectedRecord['record']>['headers'] {
  try {
    return source.headers()
  } catch {
    return []
  }
}

/** Allocates its own memory: cloning a view would clone the whole buffer behind it. */
function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes)
}
