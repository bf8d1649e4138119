// What a job declares about the bytes of a topic's records: how to look at one as a row. A row is a
// view: it keeps the batch's bytes and decodes a field when the job asks for it.

export interface RowFormat<Row> {
  /** Which format this is, for people: `csv`, `text`, `json`. */
  readonly name: string
  /** The format with all its parameters, as text; it goes into the graph's fingerprint. */
  describe(): string
  /**
   * The row in `bytes[start, end)`. Called once per record, so it allocates one small object and
   * decodes as little as it can. The row keeps `bytes` alive, and they must not change.
   */
  row(bytes: Buffer, start: number, end: number): Row
}
