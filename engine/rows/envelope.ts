// A row together with what its record carries beside the value: key, timestamp, headers and coordinates.
// Any format can be put into an envelope.

import type { RecordFields, SourceHeader, SourceRecord } from '../sources/sourceRecord.ts'
import type { RowFormat } from './rowFormat.ts'

/**
 * A row with its record. Key and headers are decoded when they are asked for, and are views of the record's
 * batch: they keep it in memory, and must not be changed. An envelope stays in its task; `toPlain` makes of
 * it what may be kept and sent (to groupByKey, join, collect, or a state).
 */
export interface Envelope<Row> {
  readonly row: Row
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestampMs: number
  readonly key: Buffer | null
  /** The key as UTF-8. */
  readonly keyText: string | null
  readonly headers: readonly SourceHeader[]
  /** The last header of this key as UTF-8; undefined when there is none, or one without a value. */
  header(key: string): string | undefined
  /** The envelope as plain data. */
  toPlain(): PlainEnvelope<Row>
}

/** Data alone, in memory of its own. A row that is a view becomes an object of its fields. */
export interface PlainEnvelope<Row> {
  readonly row: Row
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
}

/** Which records an envelope is made for. */
export interface EnvelopeOptions {
  /** Records without a value come, too, with null for a row. Without it they are left out. */
  readonly tombstones?: boolean
}

/**
 * Rows of `format` in envelopes:
 *
 *     fromTopic('orders', envelope(csv(['user', 'action'])))  ->  order.row.user, order.keyText, order.timestampMs
 */
export function envelope<Row>(format: RowFormat<Row>): RowFormat<Envelope<Row>>
export function envelope<Row>(
  format: RowFormat<Row>,
  options: { readonly tombstones: true },
): RowFormat<Envelope<Row | null>>
export function envelope<Row>(
  format: RowFormat<Row>,
  options: EnvelopeOptions,
): RowFormat<Envelope<Row | null>>
export function envelope<Row>(
  format: RowFormat<Row>,
  { tombstones = false }: EnvelopeOptions = {},
): RowFormat<Envelope<Row | null>> {
  const inEnvelopes: RowFormat<Envelope<Row | null>> = {
    name: 'envelope',
    describe: () => `envelope(${format.describe()}${tombstones ? ', tombstones' : ''})`,
    row: (bytes, start, end, record) =>
      new RecordEnvelope(format.row(bytes, start, end, record), record),
  }
  if (!tombstones) return inEnvelopes
  return { ...inEnvelopes, tombstone: (record) => new RecordEnvelope<Row | null>(null, record) }
}

class RecordEnvelope<Row> implements Envelope<Row> {
  readonly row: Row
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly #fields: RecordFields

  constructor(row: Row, record: SourceRecord) {
    this.row = row
    this.topic = record.topic
    this.partition = record.partition
    this.offset = record.offset
    this.timestampMs = record.timestampMs
    this.#fields = record.keep()
  }

  get key(): Buffer | null {
    return this.#fields.key()
  }

  get keyText(): string | null {
    return this.key?.toString('utf8') ?? null
  }

  get headers(): readonly SourceHeader[] {
    return this.#fields.headers()
  }

  header(key: string): string | undefined {
    return this.headers.findLast((header) => header.key === key)?.value?.toString('utf8')
  }

  /** The envelope as plain data. */
  toPlain(): PlainEnvelope<Row> {
    const { topic, partition, offset, timestampMs, key } = this
    const headers = this.headers.map((header) => {
      return { key: header.key, value: copyOf(header.value) }
    })
    const row = plainRow(this.row)
    return { row, topic, partition, offset, timestampMs, key: copyOf(key), headers }
  }

  /** For logs and results: bytes as UTF-8 text. */
  toJSON(): object {
    const { row, topic, partition, offset, timestampMs, keyText } = this
    const headers = this.headers.map(({ key, value }) => {
      return { key, value: value?.toString('utf8') ?? null }
    })
    return { row, topic, partition, offset, timestampMs, key: keyText, headers }
  }
}

/** Views of rows (csv, text) say by `toJSON` which fields they have. */
function plainRow<Row>(row: Row): Row {
  const toJson = (row as { toJSON?: unknown } | null | undefined)?.toJSON
  return typeof toJson === 'function' ? (toJson.call(row) as Row) : row
}

/** Not with Buffer.from, whose memory is part of a pool: a clone would be one of the whole pool. */
function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes)
}
