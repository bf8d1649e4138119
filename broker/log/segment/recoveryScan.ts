// Finds where the sound part of a segment ends after a crash. A state machine: it says which bytes
// it wants, is fed with them, and shows every sound batch to its visitor. It does no I/O, decides
// nothing about what follows (logRecovery.ts does), and never lets a batch pass whose CRC is wrong
// above the offset from which it has to be checked, nor a marker with a wrong one.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { RecordBatch, validateBatch, validateHeader } from '../../../protocol/kafka/recordBatch.ts'
import { batchSizeAt, walkHeaderBytes } from './batchWalk.ts'

export interface ScanStart {
  /** Position in the file of the first batch to look at. */
  readonly position: number
  readonly fileBytes: number
  /** The segment's base offset: no batch may begin below it. */
  readonly nextOffset: number
  /** Batches of data below this offset were synced and checked before: only headers are read. */
  readonly verifyFrom: number
}

export type BatchVisitor = (batch: RecordBatch, position: number) => void

const chunkBytes = 1024 * 1024
/** Indexes know offsets by how far they are from their segment's first, in 31 bits. */
const maxRelativeOffset = 2 ** 31 - 1
/** A length over this is damage, not a batch: it bounds what a scan allocates. */
const maxBatchBytes = 256 * 1024 * 1024

export class RecoveryScan {
  readonly #fileBytes: number
  readonly #verifyFrom: number
  readonly #lastPossibleOffset: number
  readonly #visit: BatchVisitor
  #wantedBytes = chunkBytes
  /** Where the sound part ends, as far as it is known. */
  position: number
  /** The offset after the last sound batch. */
  nextOffset: number
  /** Why the scan ended before the end of the file; undefined when it did not. */
  defect: string | undefined

  constructor(start: ScanStart, visit: BatchVisitor) {
    this.position = start.position
    this.nextOffset = start.nextOffset
    this.#fileBytes = start.fileBytes
    this.#verifyFrom = start.verifyFrom
    this.#lastPossibleOffset = start.nextOffset + maxRelativeOffset
    this.#visit = visit
  }

  /** How many bytes to read from `position` on; 0 when the scan is over. */
  get wantedBytes(): number {
    if (this.defect !== undefined) return 0
    return Math.min(this.#wantedBytes, this.#fileBytes - this.position)
  }

  /** The bytes at `position`: as many as were wanted, or fewer when the file has no more. */
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

  /**
   * The size of the batch at `at`; undefined when more bytes are needed to know, or it has a
   * defect.
   */
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
    // Of control batches the records are read, too, to know how a transaction ended.
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
