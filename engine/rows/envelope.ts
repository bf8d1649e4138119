// Envelopes: a row with the other fields of its record, which are key, timestamp, headers and
// coordinates. Wraps any format.

import type { RowFormat } from './rowFormat.ts'
import type { RecordFields, SourceHeader, SourceRecord } from './sourceRecord.ts'

/**
 * A row with its record. Key and headers are decoded on demand and are views of the record batch:
 * they keep it in memory, and must not be changed. An envelope is valid in its task only; `toPlain`
 * returns a copy that may be kept and sent (to groupByKey, join, collect, or a state).
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
  /** The last header with this key as UTF-8; undefined when there is none, or its value is null. */
  header(key: string): string | undefined
  /** Returns a plain copy of the envelope. */
  toPlain(): PlainEnvelope<Row>
}

/** A plain copy in its own memory. A row that is a view becomes an object of its fields. */
export interface PlainEnvelope<Row> {
  readonly row: Row
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
}

/** Options of `envelope`. */
export interface EnvelopeOptions {
  /** Includes records without a value, with null as their row. They are left out by default. */
  readonly tombstones?: boolean
}

/**
 * Wraps the rows of `format` in envelopes:
 *
 *     fromTopic('orders', envelope(csv(['user', 'action'])))
 *       ->  order.row.user, order.keyText, order.timestampMs
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

  /** Returns a plain copy of the envelope. */
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

/** Rows that are views (csv, text) list their fields in `toJSON`. */
function plainRow<Row>(row: Row): Row {
  const toJson = (row as { toJSON?: unknown } | null | undefined)?.toJSON
  return typeof toJson === 'function' ? (toJson.call(row) as Row) : row
}

/** Avoids Buffer.from, which uses a shared pool: cloning the copy would clone the whole pool. */
function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes)
}
