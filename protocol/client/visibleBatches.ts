// Selects, from the bytes of a Fetch answer, the batches that a consumer may see (KIP-98). Control
// batches, which end transactions, are never shown, at any isolation level. With read_committed the
// broker sends nothing beyond the last stable offset, and lists the aborted transactions among what it
// sends; their batches are left out here.
//
// Decisions are made per batch, from its header; records are not looked at. An answer of which nothing
// is left out is handed on as it came, without a copy.

import { MalformedError } from '../bytes/malformed.ts'
import {
  batchLengthPrefixBytes,
  RecordBatch,
  RecordBatchAttribute,
  RecordBatchField,
  recordBatchOverheadBytes,
  splitBatches,
} from '../kafka/recordBatch.ts'

/** As a Fetch answer lists it: from `firstOffset` up to its abort marker. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface VisibleBatches {
  /** Whole batches, one after another. */
  readonly batches: Buffer
  /** The offset after the last whole batch, shown or not; undefined when there was no whole batch. */
  readonly nextOffset: number | undefined
}

const markedAttributes = RecordBatchAttribute.transactional | RecordBatchAttribute.control
const nothing = Buffer.alloc(0)

/**
 * Cuts off what follows the last whole batch (a broker ends an answer at its size limit, wherever that
 * falls), and leaves out what must not be seen. Throws MalformedError for a length no batch can have.
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

/** 0 for the formats before magic 2, which know no transactions and have other fields there. */
function attributesAt(records: Buffer, start: number): number {
  if (records[start + RecordBatchField.magic] !== 2) return 0
  return records.readInt16BE(start + RecordBatchField.attributes)
}

/** Copies what is kept only when something is left out. */
function withoutHidden(whole: Buffer, aborted: readonly AbortedTransaction[]): Buffer {
  const transactions = new AbortedTransactions(aborted)
  const kept: Buffer[] = []
  /** Where the batches begin that are kept and follow one another. */
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

/** Which producers' batches belong to an aborted transaction, as one moves on in the log. */
class AbortedTransactions {
  /** Not reached yet; the first is last. */
  readonly #ahead: AbortedTransaction[]
  /** Producers between the first offset of an aborted transaction and its marker. */
  readonly #open = new Set<number>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#ahead = [...aborted].sort((one, other) => other.firstOffset - one.firstOffset)
  }

  /** Batches come in the order of their offsets. */
  hide(batch: RecordBatch): boolean {
    const { lastOffset, producerId } = batch
    while (this.#ahead.length > 0 && this.#ahead.at(-1)!.firstOffset <= lastOffset) {
      this.#open.add(this.#ahead.pop()!.producerId)
    }
    if (batch.magic !== 2) return false
    if (batch.isControl) {
      // The marker need not be read: between the first offset of an aborted transaction and its abort
      // marker there is no other marker of the same producer.
      this.#open.delete(producerId)
      return true
    }
    return batch.isTransactional && this.#open.has(producerId)
  }
}
