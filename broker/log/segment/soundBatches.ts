// Decides which batches in bytes of a segment file may be returned to readers: those that are
// exactly what was appended. The CRC covers a batch except for its base offset and its leader
// epoch, which the broker sets; BatchOrder checks the offset, the leader epochs of the log check
// the epoch.

import { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import type { BatchOrder, Misplaced } from './batchOrder.ts'
import {
  baseOffsetAt,
  batchSizeAt,
  headerDefect,
  lastOffsetAt,
  walkHeaderBytes,
} from './batchWalk.ts'

/** Returns the leader epoch of a log at an offset. */
export interface KnownEpochs {
  /** Undefined if it is unknown. */
  epochAt(offset: number): number | undefined
}

/** Bytes read from a segment file. */
export interface ReadBytes {
  readonly bytes: Buffer
  /** Position of the first byte in the file. */
  readonly position: number
  /** The file holds batches up to here. */
  readonly limitPosition: number
  /** All batches end below it. */
  readonly limitOffset: number
}

export interface SoundLimits {
  readonly maxBytes: number
  /** Only batches that end below it are returned. */
  readonly offset: number
  readonly epochs?: KnownEpochs | undefined
  /** Whether the checksums of this range of the file were verified recently. */
  readonly isChecked?: ((start: number, end: number) => boolean) | undefined
}

export interface SoundBatches {
  /** End of the last sound batch within the limits; the start without one. */
  readonly end: number
  /**
   * Defect of the next batch; undefined if it lies outside the limits, or more bytes are needed.
   */
  readonly damage: Misplaced | undefined
}

/** The sound batches in `read` from `start` on, where the next batch of `order` begins. */
export function soundBatches(
  read: ReadBytes,
  start: number,
  order: BatchOrder,
  { maxBytes, offset, epochs, isChecked }: SoundLimits,
): SoundBatches {
  const { bytes } = read
  const limit = Math.min(bytes.length, start + maxBytes)
  let end = start
  while (bytes.length - end >= walkHeaderBytes) {
    const position = read.position + end
    const defect = headerDefect(bytes, end)
    if (defect !== undefined) return { end, damage: { position, defect } }
    const baseOffset = baseOffsetAt(bytes, end)
    const lastOffset = lastOffsetAt(bytes, end)
    const size = batchSizeAt(bytes, end)!
    if (lastOffset >= offset || size > limit - end) break
    const misplaced = order.misplaced(baseOffset, lastOffset, position)
    if (misplaced) return { end, damage: misplaced }
    if (order.isDoubtful(baseOffset, lastOffset)) {
      const following = offsetAfter(read, end + size)
      if (following === undefined) break
      if (lastOffset >= following) {
        const overlap = `its last offset is ${lastOffset}, but offset ${following} follows it`
        return { end, damage: { position, defect: overlap } }
      }
    }
    if (!isChecked?.(position, position + size)) {
      const unsound = unsoundness(new RecordBatch(bytes, end), epochs)
      if (unsound !== undefined) return { end, damage: { position, defect: unsound } }
    }
    order.pass(baseOffset, lastOffset, position)
    end += size
  }
  return { end, damage: undefined }
}

/**
 * The base offset of the batch at `at`, or the limit after the last batch; undefined if its bytes
 * are missing.
 */
function offsetAfter(
  { bytes, position, limitPosition, limitOffset }: ReadBytes,
  at: number,
): number | undefined {
  if (position + at === limitPosition) return limitOffset
  return bytes.length - at < walkHeaderBytes ? undefined : baseOffsetAt(bytes, at)
}

/** Why a whole batch is not what was appended; undefined if it is. */
export function unsoundness(
  batch: RecordBatch,
  epochs: KnownEpochs | undefined,
): string | undefined {
  if (!batch.isCrcValid()) return 'the CRC does not match'
  const epoch = epochs?.epochAt(batch.baseOffset)
  if (epoch === undefined || epoch === batch.partitionLeaderEpoch) return undefined
  return `its leader epoch is ${batch.partitionLeaderEpoch}, but was ${epoch}`
}
