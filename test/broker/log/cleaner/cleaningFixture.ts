// The fixture of the cleaner's tests: keyed batches, compacted logs, a round of cleaning as the
// scheduler does it, and the records that a consumer sees. Independent of how the cleaner works.

import { Cleaner, type CleanerOptions } from '../../../../broker/log/cleaner/cleaner.ts'
import { cleaningRange, firstDirtyOffset } from '../../../../broker/log/cleaner/cleaningPlan.ts'
import type { LogConfig } from '../../../../broker/log/logConfig.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { RecordBatch, splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import {
  RecordBatchBuilder,
  type RecordBatchOptions,
} from '../../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { diskWithData, openLog, readAll, smallConfig } from '../logFixture.ts'

export const compactConfig: LogConfig = {
  ...smallConfig,
  segmentBytes: 700,
  cleanupPolicy: { delete: false, compact: true },
  deleteRetentionMs: 1000,
  transactionVerification: false,
}

export type KeyedRecord = readonly [key: string, value: string | null]

export function keyedBatch(
  keyed: readonly KeyedRecord[],
  options: RecordBatchOptions & { readonly timestampMs?: number } = {},
): Buffer {
  const builder = new RecordBatchBuilder(options)
  const { timestampMs = 1000 } = options
  for (const [number, [key, value]] of keyed.entries()) {
    const header = { key: 'number', value: Buffer.from(String(number)) }
    builder.append(
      timestampMs + number,
      Buffer.from(key),
      value === null ? null : Buffer.from(value),
      [header],
    )
  }
  return builder.build()
}

/** A new log with `batches` in a segment that can be cleaned. */
export async function sealedLog(batches: readonly Buffer[], config = compactConfig) {
  const disk = await diskWithData()
  const clock = new ManualClock()
  const log = await openLog(disk, { config, clock })
  for (const batch of batches) await appendWhole(log, batch)
  await log.roll()
  return { disk, clock, log }
}

/** Markers are those of the broker, other batches those of clients. */
export async function appendWhole(log: PartitionLog, batch: Buffer): Promise<void> {
  const origin = new RecordBatch(batch).isControl ? 'coordinator' : 'client'
  const { errorCode, errorMessage } = await log.appendAsLeader(batch, { leaderEpoch: 0, origin })
  if (errorCode !== 0) throw new Error(`not appended: ${errorCode} ${errorMessage}`)
}

export interface RoundOptions extends Partial<CleanerOptions> {
  readonly disk: Disk
  /** End of the previous round. */
  readonly from?: number
}

/** Cleans everything that can be cleaned; returns where the next round starts. */
export async function cleanLog(log: PartitionLog, options: RoundOptions): Promise<number> {
  const cleaner = new Cleaner({
    clock: new ManualClock(),
    dedupeBufferBytes: 1_000_000,
    ioBufferBytes: 1024,
    ioMaxBytesPerSecond: Number.POSITIVE_INFINITY,
    ...options,
  })
  const { cleanable } = log
  const { bounds, sealed } = cleanable
  const firstDirty = firstDirtyOffset(options.from, bounds)
  const range = cleaningRange(sealed, firstDirty, bounds.lastStableOffset, () => false)
  if (range.dirty.length === 0) return firstDirty
  const endOffset = await cleaner.clean(cleanable, range, new AbortController().signal)
  if (endOffset === undefined) throw new Error('the log was not cleaned')
  return endOffset
}

export async function readBatches(log: PartitionLog): Promise<RecordBatch[]> {
  return [...splitBatches(await readAll(log))]
}

export interface SeenRecord {
  readonly offset: number
  readonly key: string
  readonly value: string | null
}

/** All records but those of control batches, in the order of the log. */
export async function readRecords(log: PartitionLog): Promise<SeenRecord[]> {
  const seen: SeenRecord[] = []
  for (const batch of await readBatches(log)) {
    if (batch.isControl) continue
    for (const { offset, key, value } of records(batch, 1_000_000)) {
      seen.push({ offset, key: String(key), value: value && String(value) })
    }
  }
  return seen
}

/** The state that a consumer builds from all records: the last value of each key. */
export function finalState(seen: readonly SeenRecord[]): Map<string, string> {
  const state = new Map<string, string>()
  for (const { key, value } of seen) {
    if (value === null) state.delete(key)
    else state.set(key, value)
  }
  return state
}
