// The format of rows: how a job reads the bytes of a topic's records. A row is a view: it keeps the
// bytes of the record batch and decodes a field on demand. A format must never keep state between
// records, nor change the bytes.

import type { SourceRecord } from './sourceRecord.ts'

/** How the values of a topic become rows. */
export interface RowFormat<Row> {
  /** Name of the format, for people: `csv`, `text`, `json`. */
  readonly name: string
  /** The format with all its parameters, as text; part of the graph's fingerprint. */
  describe(): string
  /**
   * Returns the row in `bytes[start, end)`, the value of `record`. Called once per record, so it
   * should allocate one small object and decode as little as possible. The row keeps `bytes` in
   * memory, and they must not change; `record` is valid only during the call. Throws MalformedError
   * for a value that does not match the format.
   */
  row(bytes: Buffer, start: number, end: number, record: SourceRecord): Row
  /**
   * Returns the row of a record without a value. Without this method, such records are left out.
   */
  tombstone?(record: SourceRecord): Row
}
