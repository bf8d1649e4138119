// Selects the batches of a Fetch response that a consumer may see (KIP-98). Control batches, which
// end transactions, are never visible. With read_committed the broker sends nothing beyond the last
// stable offset and lists the aborted transactions, whose batches are omitted here.
//
// Decides per batch, from its header, without decoding records. A response without hidden batches
// is returned without a copy.

import { MalformedError } from '../../bytes/malformed.ts'
import {
  batchLengthPrefixBytes,
  RecordBatch,
  RecordBatchAttribute,
  RecordBatchField,
  recordBatchOverheadBytes,
  splitBatches,
} from '../../kafka/records/recordBatch.ts'

/** An aborted transaction of a Fetch response: from `firstOffset` up to its abort marker. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface VisibleBatches {
  /** Whole batches, concatenated. */
  readonly batches: Buffer
  /** The offset after the last whole batch, visible or not; undefined without a whole batch. */
  readonly nextOffset: number | undefined
}

const markedAttributes = RecordBatchAttribute.transactional | RecordBatchAttribute.control
const nothing = Buffer.alloc(0)

/**
 * Returns the visible batches of `records`. A partial batch at the end is cut off: a broker ends a
 * response at its size limit. Throws MalformedError for a batch shorter than its header.
 */
export function visibleBatches(
  records: Buffer,
  aborted: readonly AbortedTransaction[],
): VisibleBatches {
  let end = 0
  let last = -1
  let isMarked = false
  while (records.length - end >= batchLengthPrefixBytes) {
    const length = records.readInt32BE(end + RecordBatchField.batchLength)
    if (length <= 0 || length > records.length - end - batchLengthPrefixBytes) break
    const size = batchLengthPrefixBytes + length
    if (size < recordBatchOverheadBytes) {
      throw new MalformedError(`record batch of ${size} bytes at ${end}`)
    }
    if (attributesAt(records, end) & markedAttributes) isMarked = true
    last = end
    end += size
  }
  if (last < 0) return { batches: nothing, nextOffset: undefined }
  const { nextOffset } = new RecordBatch(records, last)
  const whole = records.subarray(0, end)
  return { batches: isMarked ? withoutHidden(whole, aborted) : whole, nextOffset }
}

/** 0 for formats before magic 2, which have no transactions and other fields at this position. */
function attributesAt(records: Buffer, start: number): number {
  if (records[start + RecordBatchField.magic] !== 2) return 0
  return records.readInt16BE(start + RecordBatchField.attributes)
}

/** Copies only when visible batches remain on both sides of a hidden one. */
function withoutHidden(whole: Buffer, aborted: readonly AbortedTransaction[]): Buffer {
  const transactions = new AbortedTransactions(aborted)
  const kept: Buffer[] = []
  /** Start of the current run of visible batches. */
  let start = 0
  for (const batch of splitBatches(whole)) {
    if (!transactions.hide(batch)) continue
    if (batch.start > start) kept.push(whole.subarray(start, batch.start))
    start = batch.start + batch.sizeInBytes
  }
  if (start === 0) return whole
  if (start < whole.length) kept.push(whole.subarray(start))
  return kept.length === 1 ? kept[0]! : Buffer.concat(kept)
}

/** Tracks, in offset order, which producers are inside an aborted transaction. */
class AbortedTransactions {
  /** Transactions that begin after the current batch, in descending order of `firstOffset`. */
  readonly #ahead: AbortedTransaction[]
  /** Producers between the first offset of an aborted transaction and its marker. */
  readonly #open = new Set<number>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#ahead = [...aborted].sort((one, other) => other.firstOffset - one.firstOffset)
  }

  /** Whether the batch is hidden. Batches must be passed in offset order. */
  hide(batch: RecordBatch): boolean {
    const { lastOffset, producerId } = batch
    while (this.#ahead.length > 0 && this.#ahead.at(-1)!.firstOffset <= lastOffset) {
      this.#open.add(this.#ahead.pop()!.producerId)
    }
    if (batch.magic !== 2) return false
    if (batch.isControl) {
      // The marker need not be read: between the first offset of an aborted transaction and its
      // abort marker there is no other marker of the same producer.
      this.#open.delete(producerId)
      return true
    }
    return batch.isTransactional && this.#open.has(producerId)
  }
}
