// A record of a topic as row formats see it: coordinates, timestamp, key and headers, beside the
// bytes of its value.

import { type RecordCursor, recordHeaders } from '../../protocol/kafka/records/recordCursor.ts'

/** A header of a record. */
export interface SourceHeader {
  readonly key: string
  readonly value: Buffer | null
}

/**
 * Fields of a record beside its value. Bytes are views of the record's batch and must not be
 * changed.
 */
export interface RecordFields {
  /** Null when the record has none. */
  key(): Buffer | null
  /** In order; a key may occur more than once. */
  headers(): readonly SourceHeader[]
}

/**
 * The record in hand. Valid only during the call that it is passed to: a scanner reuses one object
 * for many records. `keep` returns what may be kept.
 */
export interface SourceRecord extends RecordFields {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since the epoch: set by the producer, or by the broker with log append time. */
  readonly timestampMs: number
  /** Null when the record has none. */
  value(): Buffer | null
  /** Key and headers, decoded on demand. Keeps the record's batch in memory. */
  keep(): RecordFields
}

/** A view of a cursor's current record, shared by all records of a batch. */
export class ScannedRecord implements SourceRecord {
  readonly topic: string
  readonly partition: number
  readonly #cursor: RecordCursor

  constructor(topic: string, partition: number, cursor: RecordCursor) {
    this.topic = topic
    this.partition = partition
    this.#cursor = cursor
  }

  get offset(): number {
    return this.#cursor.offset
  }

  get timestampMs(): number {
    return this.#cursor.timestamp
  }

  key(): Buffer | null {
    const { bytes, keyStart, keyEnd } = this.#cursor
    return keyStart < 0 ? null : bytes.subarray(keyStart, keyEnd)
  }

  value(): Buffer | null {
    const { bytes, valueStart, valueEnd } = this.#cursor
    return valueStart < 0 ? null : bytes.subarray(valueStart, valueEnd)
  }

  headers(): readonly SourceHeader[] {
    return this.#cursor.headers()
  }

  keep(): RecordFields {
    return new KeptFields(this.#cursor)
  }
}

class KeptFields implements RecordFields {
  readonly #bytes: Buffer
  readonly #keyStart: number
  readonly #keyEnd: number
  readonly #headerCount: number
  readonly #headersStart: number
  readonly #end: number

  constructor(cursor: RecordCursor) {
    this.#bytes = cursor.bytes
    this.#keyStart = cursor.keyStart
    this.#keyEnd = cursor.keyEnd
    this.#headerCount = cursor.headerCount
    this.#headersStart = cursor.headersStart
    this.#end = cursor.recordEnd
  }

  key(): Buffer | null {
    return this.#keyStart < 0 ? null : this.#bytes.subarray(this.#keyStart, this.#keyEnd)
  }

  headers(): readonly SourceHeader[] {
    if (this.#headerCount === 0) return none
    return recordHeaders(this.#bytes, this.#headersStart, this.#end, this.#headerCount)
  }
}

const none: readonly SourceHeader[] = []
