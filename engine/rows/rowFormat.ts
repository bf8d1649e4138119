// What a job declares about the bytes of a topic's records: how to look at one as a row. A row is a
// view: it keeps the batch's bytes and decodes a field when the job asks for it.

import type { SourceRecord } from '../sources/sourceRecord.ts'

/** How the values of a topic become rows. */
export interface RowFormat<Row> {
  /** Which format this is, for people: `csv`, `text`, `json`. */
  readonly name: string
  /** The format with all its parameters, as text; it goes into the graph's fingerprint. */
  describe(): string
  /**
   * The row in `bytes[start, end)`, the value of `record`. Called once per record, so it allocates one
   * small object and decodes as little as it can. The row keeps `bytes` alive, and they must not change;
   * `record` is valid during the call only. Throws MalformedError for a value that is not of the format.
   */
  row(bytes: Buffer, start: number, end: number, record: SourceRecord): Row
  /** The row of a record without a value. A format without this method leaves such records out. */
  tombstone?(record: SourceRecord): Row
}
