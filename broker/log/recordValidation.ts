// What a topic's configuration asks of the records themselves: keys where the log is compacted,
// timestamps within bounds, another compression. Batches are opaque to the log, and stay so here
// unless one of these rules makes a look inside necessary; most topics have none.

import { Compression } from '../../protocol/bytes/compression.ts'
import { MalformedError } from '../../protocol/bytes/malformed.ts'
import type { MemoryAllowance } from '../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { recompressed } from '../../protocol/kafka/recompression.ts'
import {
  type RecordBatch,
  recordBatchOverheadBytes,
  splitBatches,
  validateBatch,
} from '../../protocol/kafka/recordBatch.ts'
import { RecordCursor } from '../../protocol/kafka/recordCursor.ts'
import type { LogConfig } from './logConfig.ts'

/** One record that is refused, by its place in the batches as they were sent. */
export interface RecordError {
  readonly batchIndex: number
  readonly batchIndexErrorMessage: string
}

export interface RecordRefusal {
  readonly errorCode: number
  readonly errorMessage: string
  readonly recordErrors: readonly RecordError[]
}

/** The batches to append instead, which may be the same memory; or why there are none. */
export type Admission = { readonly batches: Buffer } | RecordRefusal

/** More are not named: a batch may have millions, and nobody reads them. */
const mostRecordErrors = 1000
const shownRecordErrors = 3
/** Batches of a request that cannot be read: what each has cost is not known, and may be all there was. */
const mostFailures = 8
/** A record without a timestamp has this one, and no bounds hold for it. */
const noTimestamp = -1

const codecs = {
  uncompressed: Compression.none,
  gzip: Compression.gzip,
  snappy: Compression.snappy,
  lz4: Compression.lz4,
  zstd: Compression.zstd,
} as const

/**
 * Applies the rules to batches from a client. Batches that are damaged are handed back as they are:
 * the log refuses them with the error they deserve. A batch is refused, too, that would decompress to more
 * than is left of `decompression`, which is one for all batches of a request: a few kilobytes can become
 * a hundred megabytes, and a request can hold thousands of such.
 */
export function admitRecords(
  bytes: Buffer,
  config: LogConfig,
  nowMs: number,
  decompression: MemoryAllowance,
): Admission {
  const asSent = { batches: bytes }
  const rules = new RecordRules(config, nowMs)
  try {
    const batches = [...splitBatches(bytes)]
    if (!batches.some((batch) => rules.concern(batch))) return asSent
    for (const batch of batches) validateBatch(batch, { maxBytes: config.maxMessageBytes })
    // Half a batch at the end, or a control batch, is the log's to refuse.
    const total = batches.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)
    if (total !== bytes.length || batches.some(({ isControl }) => isControl)) return asSent
    return rules.apply(batches, bytes, decompression)
  } catch (error) {
    if (error instanceof MalformedError) return asSent
    throw error
  }
}

class RecordRules {
  readonly #config: LogConfig
  readonly #codec: Compression | undefined
  readonly #earliestMs: number
  readonly #latestMs: number
  readonly #checksTimestamps: boolean

  constructor(config: LogConfig, nowMs: number) {
    const { compressionType } = config
    this.#config = config
    this.#codec = compressionType === 'producer' ? undefined : codecs[compressionType]
    this.#checksTimestamps = config.messageTimestampType === 'CreateTime'
    this.#earliestMs = nowMs - config.messageTimestampBeforeMaxMs
    this.#latestMs = nowMs + config.messageTimestampAfterMaxMs
  }

  /** Whether something hangs on what is in the batch. Only what its header says is looked at. */
  concern(batch: RecordBatch): boolean {
    if (this.#config.cleanupPolicy.compact || this.#changesCodec(batch)) return true
    return this.#checksTimestamps && (this.#earliestMs > 0 || batch.maxTimestamp > this.#latestMs)
  }

  apply(batches: RecordBatch[], bytes: Buffer, decompression: MemoryAllowance): Admission {
    const errors = new RecordErrors()
    const parts: Uint8Array[] = []
    let changed = false
    for (const batch of batches) {
      let records: Buffer
      try {
        records = this.#check(batch, decompression.leftBytes, errors)
        if (batch.compression !== Compression.none) charge(records.length, decompression)
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error
        charge(decompression.limitBytes / mostFailures, decompression)
        return { errorCode: ErrorCode.invalidRecord, errorMessage: error.message, recordErrors: [] }
      }
      const part = errors.isEmpty ? this.#converted(batch, records) : undefined
      changed ||= part !== undefined
      parts.push(part ?? bytes.subarray(batch.start, batch.start + batch.sizeInBytes))
    }
    if (!errors.isEmpty) return errors.refusal()
    return { batches: changed ? Buffer.concat(parts) : bytes }
  }

  /** Looks at every record; returns them as they lie uncompressed. */
  #check(batch: RecordBatch, maxDecompressedBytes: number, errors: RecordErrors): Buffer {
    const cursor = new RecordCursor(batch, maxDecompressedBytes)
    for (let delta = 0; cursor.next(); delta++) {
      if (cursor.offset !== batch.baseOffset + delta) {
        errors.add(`its offset is not ${delta} places after the first record's`)
      } else if (cursor.keyStart < 0 && this.#config.cleanupPolicy.compact) {
        errors.add('a compacted topic accepts no record without a key')
      } else {
        this.#checkTimestamp(cursor.timestamp, errors)
      }
      errors.nextRecord()
    }
    if (batch.compression !== Compression.none) return cursor.bytes
    const start = batch.start + recordBatchOverheadBytes
    return batch.bytes.subarray(start, batch.start + batch.sizeInBytes)
  }

  #checkTimestamp(timestampMs: number, errors: RecordErrors): void {
    if (!this.#checksTimestamps || timestampMs === noTimestamp) return
    if (timestampMs >= this.#earliestMs && timestampMs <= this.#latestMs) return
    const range = `${this.#earliestMs} to ${this.#latestMs}`
    errors.add(`its timestamp is ${timestampMs}, but must be ${range}`, ErrorCode.invalidTimestamp)
  }

  /** The batch in the topic's compression; undefined when it is in that already. */
  #converted(batch: RecordBatch, records: Buffer): Buffer | undefined {
    if (!this.#changesCodec(batch)) return undefined
    return recompressed(batch, records, this.#codec!, this.#level())
  }

  #changesCodec(batch: RecordBatch): boolean {
    return this.#codec !== undefined && batch.compression !== this.#codec
  }

  #level(): number | undefined {
    const { compressionType, compressionLevels } = this.#config
    if (compressionType === 'gzip') return compressionLevels.gzip
    return compressionType === 'zstd' ? compressionLevels.zstd : undefined
  }
}

function charge(bytes: number, decompression: MemoryAllowance): void {
  decompression.take(Math.min(bytes, decompression.leftBytes), 'batches')
}

class RecordErrors {
  readonly #errors: RecordError[] = []
  #count = 0
  #record = 0
  #errorCode: number = ErrorCode.none

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** What is wrong with the current record. The first error's code is that of all. */
  add(message: string, errorCode: number = ErrorCode.invalidRecord): void {
    if (this.#count++ === 0) this.#errorCode = errorCode
    if (this.#errors.length === mostRecordErrors) return
    this.#errors.push({ batchIndex: this.#record, batchIndexErrorMessage: message })
  }

  nextRecord(): void {
    this.#record++
  }

  refusal(): RecordRefusal {
    const shown = this.#errors
      .slice(0, shownRecordErrors)
      .map(({ batchIndex, batchIndexErrorMessage }) => `${batchIndex}: ${batchIndexErrorMessage}`)
    const more = this.#count > shown.length ? ', ...' : ''
    return {
      errorCode: this.#errorCode,
      errorMessage: `${this.#count} of the records are refused (${shown.join(', ')}${more})`,
      recordErrors: this.#errors,
    }
  }
}
