// Finds the end of the valid part of a segment after a crash. Sans-IO: requests bytes
// (`wantedBytes`), receives them (`feed`), and calls its visitor with every valid batch. Leaves all
// decisions to logRecovery.ts. Never passes a batch at or above `verifyFrom`, nor a control batch,
// whose CRC is wrong.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import {
  RecordBatch,
  validateBatch,
  validateHeader,
} from '../../../protocol/kafka/records/recordBatch.ts'
import { batchSizeAt, walkHeaderBytes } from './batchWalk.ts'

export interface ScanStart {
  /** Position in the file of the first batch to scan. */
  readonly position: number
  readonly fileBytes: number
  /** The base offset of the segment: no batch may start below it. */
  readonly nextOffset: number
  /** Batches below this offset were synced and verified before: only their headers are checked. */
  readonly verifyFrom: number
}

export type BatchVisitor = (batch: RecordBatch, position: number) => void

const chunkBytes = 1024 * 1024
/** Index entries store offsets relative to the base offset of the segment, in 31 bits. */
const maxRelativeOffset = 2 ** 31 - 1
/** A larger length is damage: the limit bounds what a scan allocates. */
const maxBatchBytes = 256 * 1024 * 1024

export class RecoveryScan {
  readonly #fileBytes: number
  readonly #verifyFrom: number
  readonly #lastPossibleOffset: number
  readonly #visit: BatchVisitor
  #wantedBytes = chunkBytes
  /** End of the valid part so far. */
  position: number
  /** The offset after the last valid batch. */
  nextOffset: number
  /** Why the scan ended before the end of the file; undefined if it did not. */
  defect: string | undefined

  constructor(start: ScanStart, visit: BatchVisitor) {
    this.position = start.position
    this.nextOffset = start.nextOffset
    this.#fileBytes = start.fileBytes
    this.#verifyFrom = start.verifyFrom
    this.#lastPossibleOffset = start.nextOffset + maxRelativeOffset
    this.#visit = visit
  }

  /** Number of bytes to read from `position` on; 0 when the scan has ended. */
  get wantedBytes(): number {
    if (this.defect !== undefined) return 0
    return Math.min(this.#wantedBytes, this.#fileBytes - this.position)
  }

  /** Scans the bytes at `position`: `wantedBytes` of them, or fewer if the file is shorter. */
  feed(bytes: Buffer): void {
    const expected = this.wantedBytes
    let at = 0
    this.#wantedBytes = chunkBytes
    while (this.defect === undefined) {
      const size = this.#sizeAt(bytes, at)
      if (size === undefined || size > bytes.length - at) break
      this.#take(new RecordBatch(bytes, at), size)
      if (this.defect === undefined) at += size
    }
    if (bytes.length < expected && this.defect === undefined)
      this.defect = 'the file was shortened while it was read'
  }

  /** The size of the batch at `at`; undefined if more bytes are needed, or the batch is invalid. */
  #sizeAt(bytes: Buffer, at: number): number | undefined {
    const rest = this.#fileBytes - this.position
    if (rest === 0) return undefined
    if (rest < walkHeaderBytes) return this.#stop(`the last ${rest} bytes are too few for a batch`)
    if (bytes.length - at < walkHeaderBytes) return undefined
    const size = batchSizeAt(bytes, at)
    if (size === undefined || size > maxBatchBytes) return this.#stop('the batch length is invalid')
    if (size > rest)
      return this.#stop(`the batch has ${size} bytes, but the file has only ${rest} more`)
    if (size > bytes.length - at) this.#wantedBytes = Math.max(size, chunkBytes)
    return size
  }

  #take(batch: RecordBatch, size: number): void {
    if (batch.baseOffset < this.nextOffset || batch.lastOffsetDelta < 0) {
      this.#stop(`offset ${batch.baseOffset} follows offset ${this.nextOffset - 1}`)
      return
    }
    if (batch.lastOffset > this.#lastPossibleOffset) {
      this.#stop(`offset ${batch.lastOffset} is too large for this segment`)
      return
    }
    if (batch.magic !== 2) {
      this.#stop(`the magic of the batch is ${batch.magic}, not 2`)
      return
    }
    // The records of control batches are read, too, for the outcome of their transactions.
    const isRelied = batch.lastOffset >= this.#verifyFrom || batch.isControl
    if (!this.#isSound(batch, isRelied)) return
    this.#visit(batch, this.position)
    this.position += size
    this.nextOffset = batch.nextOffset
  }

  #isSound(batch: RecordBatch, isRelied: boolean): boolean {
    try {
      if (isRelied) validateBatch(batch, { maxBytes: maxBatchBytes })
      else validateHeader(batch)
      return true
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      this.#stop(error.message)
      return false
    }
  }

  #stop(defect: string): undefined {
    this.defect = defect
    return undefined
  }
}
