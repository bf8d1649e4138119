// Records held in memory as objects, pushed like those that a scanner reads from a topic. For test
// kits and other sources without a broker.

import { EngineError } from '../engineError.ts'
import type { RecordFields, SourceHeader, SourceRecord } from '../rows/sourceRecord.ts'
import { failedAtRecord } from '../userCode.ts'
import { recordInHand } from './recordInHand.ts'
import { pushOrReject } from './rejection.ts'
import type { Reject, Scan } from './scan.ts'
import { enough, type Sink } from './sink.ts'

export interface HeldFields {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs?: number
  readonly key?: Buffer | null
  /** Null for a tombstone. */
  readonly value: Buffer | null
  readonly headers?: readonly SourceHeader[]
}

export class HeldRecord implements SourceRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly #fields: HeldFields

  constructor(fields: HeldFields) {
    this.topic = fields.topic
    this.partition = fields.partition
    this.offset = fields.offset
    this.timestampMs = fields.timestampMs ?? 0
    this.#fields = fields
  }

  key(): Buffer | null {
    return this.#fields.key ?? null
  }

  value(): Buffer | null {
    return this.#fields.value
  }

  headers(): readonly SourceHeader[] {
    return this.#fields.headers ?? []
  }

  keep(): RecordFields {
    return this
  }
}

/**
 * Pushes the rows of the records, in order, with the scan's policy for records that fail; throws
 * what a scan of a topic throws. The scan's range is not applied.
 */
export function pushHeld(
  records: Iterable<SourceRecord>,
  { format, onError = 'fail' }: Scan,
  sink: Sink<unknown>,
  reject?: Reject,
): void {
  for (const record of records) {
    const isGuarded = onError !== 'fail' && reject !== undefined
    if (isGuarded) recordInHand.take(record, onError)
    try {
      const value = record.value()
      const end = value?.length ?? 0
      if (isGuarded)
        pushOrReject(value ?? nothing, value ? 0 : -1, end, record, format, sink, reject)
      else if (value) sink(format.row(value, 0, end, record))
      else if (format.tombstone) sink(format.tombstone(record))
    } catch (error) {
      if (error === enough || error instanceof EngineError) throw error
      const { topic, partition, offset } = record
      throw failedAtRecord(error, { topic, partition, offset, value: record.value() ?? undefined })
    } finally {
      if (isGuarded) recordInHand.release()
    }
  }
}

const nothing = Buffer.alloc(0)
