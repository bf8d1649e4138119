// Writes a cleaned segment: receives the batches to keep, and writes them with their indexes to
// `.cleaned` files. The segment is not part of the log, and not visible to readers, before the
// swap.

import { join } from 'node:path'
import { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import { saveIndex } from '../segment/indexes/indexFiles.ts'
import { SegmentIndexes } from '../segment/indexes/segmentIndexes.ts'
import {
  type AbortedTransactionEntry,
  TransactionIndex,
} from '../segment/indexes/transactionIndex.ts'
import { segmentFileName, segmentSuffixes } from '../segment/segmentFiles.ts'
import { cleanedFileName } from '../segment/segmentSwap.ts'

export interface CleanedSegmentOptions {
  readonly disk: Disk
  readonly directory: string
  readonly baseOffset: number
  readonly indexIntervalBytes: number
  /** Bytes collected in memory before they are written. */
  readonly bufferBytes: number
}

export class CleanedSegment {
  readonly #options: CleanedSegmentOptions
  readonly #file: DiskFile
  readonly #transactions = TransactionIndex.empty()
  readonly #indexes: SegmentIndexes
  /**
   * Batches are copied into it, because a kept batch must not retain the whole buffer that it was
   * read into.
   */
  readonly #buffer: Buffer
  #bufferedBytes = 0
  #writtenBytes = 0
  #isClosed = false

  private constructor(options: CleanedSegmentOptions, file: DiskFile) {
    this.#options = options
    this.#file = file
    this.#indexes = SegmentIndexes.empty(options.baseOffset, options.indexIntervalBytes)
    this.#buffer = Buffer.allocUnsafeSlow(options.bufferBytes)
  }

  static async create(options: CleanedSegmentOptions): Promise<CleanedSegment> {
    const { disk, directory, baseOffset } = options
    const file = await disk.open(join(directory, cleanedFileName(baseOffset, '.log')), 'write')
    await file.truncate(0)
    return new CleanedSegment(options, file)
  }

  get baseOffset(): number {
    return this.#options.baseOffset
  }

  get sizeBytes(): number {
    return this.#writtenBytes + this.#bufferedBytes
  }

  /** Adds one whole batch. */
  async append(bytes: Buffer): Promise<void> {
    const { lastOffset, maxTimestamp } = new RecordBatch(bytes)
    this.#indexes.observe(lastOffset, maxTimestamp, this.sizeBytes, bytes.length)
    if (this.#bufferedBytes + bytes.length > this.#buffer.length) await this.#writeBuffered()
    if (bytes.length > this.#buffer.length) {
      await this.#write(bytes)
    } else {
      this.#bufferedBytes += bytes.copy(this.#buffer, this.#bufferedBytes)
    }
  }

  /** Readers still need this transaction. */
  keepTransaction(transaction: AbortedTransactionEntry): void {
    this.#transactions.append(transaction)
  }

  /** Makes everything durable, still under names that do not count. */
  async finish(): Promise<void> {
    await this.#writeBuffered()
    await this.#file.sync()
    await this.#close()
    const { disk, directory, baseOffset } = this.#options
    const pathOf = (suffix: '.index' | '.timeindex' | '.txnindex') =>
      join(directory, cleanedFileName(baseOffset, suffix))
    this.#indexes.noteMaxTimestamp()
    const { offsets, times } = this.#indexes
    await saveIndex(disk, pathOf('.index'), offsets, 0)
    await saveIndex(disk, pathOf('.timeindex'), times, 0)
    // An empty transaction index is written only to replace an old one.
    const old = await disk.stat(join(directory, segmentFileName(baseOffset, '.txnindex')))
    if (old || this.#transactions.count > 0) {
      await saveIndex(disk, pathOf('.txnindex'), this.#transactions, 0)
    }
  }

  /** Removes the files of a segment that is not needed. */
  async discard(): Promise<void> {
    const { disk, directory, baseOffset } = this.#options
    await this.#close()
    for (const suffix of segmentSuffixes) {
      await disk.remove(join(directory, cleanedFileName(baseOffset, suffix)))
    }
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#file.close()
  }

  async #writeBuffered(): Promise<void> {
    if (this.#bufferedBytes === 0) return
    const buffered = this.#buffer.subarray(0, this.#bufferedBytes)
    this.#bufferedBytes = 0
    await this.#write(buffered)
  }

  async #write(bytes: Buffer): Promise<void> {
    await this.#file.write([bytes], this.#writtenBytes)
    this.#writtenBytes += bytes.length
  }
}
