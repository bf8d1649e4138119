// Which batches in bytes from a segment's file may be given out: those that are, to the last bit,
// what was appended there. The CRC covers all of a batch but its first offset and its leader epoch,
// which the broker sets: for the one there is BatchOrder, for the other what the log knows of its
// epochs.

import { RecordBatch } from '../../../protocol/kafka/recordBatch.ts'
import type { BatchOrder, Misplaced } from './batchOrder.ts'
import {
  baseOffsetAt,
  batchSizeAt,
  headerDefect,
  lastOffsetAt,
  walkHeaderBytes,
} from './batchWalk.ts'

/** Which leader epoch a log has at an offset. */
export interface KnownEpochs {
  /** Undefined when it is not known. */
  epochAt(offset: number): number | undefined
}

/** Bytes that were read from a segment's file. */
export interface ReadBytes {
  readonly bytes: Buffer
  /** Of the first of them in the file. */
  readonly position: number
  /** Up to here the file holds batches. */
  readonly limitPosition: number
  /** All of them end below this offset. */
  readonly limitOffset: number
}

export interface SoundLimits {
  readonly maxBytes: number
  /** Only batches that end below this offset. */
  readonly offset: number
  readonly epochs?: KnownEpochs | undefined
  /** Whether the checksum has told of what lies there in the file already. */
  readonly isChecked?: ((start: number, end: number) => boolean) | undefined
}

export interface SoundBatches {
  /** Where the last sound batch within the limits ends: the start when there is none. */
  readonly end: number
  /**
   * What the batch there has; undefined when it is outside of the limits, or more bytes are needed.
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
 * The first offset of what lies at `at`, or behind the last batch; undefined when it is not there.
 */
function offsetAfter(
  { bytes, position, limitPosition, limitOffset }: ReadBytes,
  at: number,
): number | undefined {
  if (position + at === limitPosition) return limitOffset
  return bytes.length - at < walkHeaderBytes ? undefined : baseOffsetAt(bytes, at)
}

/** Why a whole batch is not what was appended; undefined when it is. */
export function unsoundness(
  batch: RecordBatch,
  epochs: KnownEpochs | undefined,
): string | undefined {
  if (!batch.isCrcValid()) return 'the CRC does not match'
  const epoch = epochs?.epochAt(batch.baseOffset)
  if (epoch === undefined || epoch === batch.partitionLeaderEpoch) return undefined
  return `its leader epoch is ${batch.partitionLeaderEpoch}, but was ${epoch}`
}
