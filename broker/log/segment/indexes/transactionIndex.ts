// The aborted transactions whose markers are in one segment (.txnindex), in the order of the
// markers; `read_committed` consumers skip them. Kafka's format, 34 bytes per entry: int16 version,
// int64 producer id, first offset, last offset (that of the marker), last stable offset after the
// marker. A segment without aborted transactions has no file.

import { readInt64, writeInt64 } from '../../../../protocol/bytes/reader.ts'
import type { AbortedTransaction } from '../../readResult.ts'
import { IndexEntries } from './indexEntries.ts'

export const transactionIndexEntryBytes = 34
const version = 0

export interface AbortedTransactionEntry extends AbortedTransaction {
  /** Offset of the abort marker. */
  readonly lastOffset: number
  /** All transactions that began below it had ended when this one was aborted. */
  readonly lastStableOffset: number
}

export class TransactionIndex {
  readonly #entries: IndexEntries

  private constructor(entries: IndexEntries) {
    this.#entries = entries
  }

  static empty(): TransactionIndex {
    return new TransactionIndex(new IndexEntries(transactionIndexEntryBytes))
  }

  /**
   * Loads the index from the bytes of its file, which it takes over, up to the first invalid entry.
   */
  static load(baseOffset: number, bytes: Buffer): TransactionIndex {
    let end = 0
    let lastOffset = baseOffset - 1
    while (bytes.length - end >= transactionIndexEntryBytes) {
      const entry = entryAt(bytes, end)
      if (bytes.readInt16BE(end) !== version || entry.lastOffset <= lastOffset) break
      if (!makesSense(entry)) break
      lastOffset = entry.lastOffset
      end += transactionIndexEntryBytes
    }
    return new TransactionIndex(
      new IndexEntries(transactionIndexEntryBytes, bytes.subarray(0, end)),
    )
  }

  get count(): number {
    return this.#entries.count
  }

  get sizeInBytes(): number {
    return this.#entries.sizeInBytes
  }

  at(entry: number): AbortedTransactionEntry {
    return entryAt(this.#entries.bytes, entry * transactionIndexEntryBytes)
  }

  append(entry: AbortedTransactionEntry): void {
    const at = this.#entries.add()
    const { bytes } = this.#entries
    bytes.writeInt16BE(version, at)
    writeInt64(bytes, at + 2, entry.producerId)
    writeInt64(bytes, at + 10, entry.firstOffset)
    writeInt64(bytes, at + 18, entry.lastOffset)
    writeInt64(bytes, at + 26, entry.lastStableOffset)
  }

  /** Removes the transactions whose markers are at or above `offset`. */
  truncateFromOffset(offset: number): void {
    let { count } = this
    while (count > 0 && this.at(count - 1).lastOffset >= offset) count--
    this.#entries.truncate(count)
  }

  /**
   * Adds to `found` the transactions with records at or above `offset` and below `endOffset`.
   * Returns true if later segments have no more of them: all transactions below `endOffset` had
   * ended.
   */
  collect(offset: number, endOffset: number, found: AbortedTransaction[]): boolean {
    for (let number = 0; number < this.count; number++) {
      const { producerId, firstOffset, lastOffset, lastStableOffset } = this.at(number)
      if (lastOffset >= offset && firstOffset < endOffset) found.push({ producerId, firstOffset })
      if (lastStableOffset >= endOffset) return true
    }
    return false
  }

  copyFrom(entry: number): Buffer {
    return this.#entries.copyFrom(entry)
  }
}

function makesSense(entry: AbortedTransactionEntry): boolean {
  const { producerId, firstOffset, lastOffset, lastStableOffset } = entry
  const areNumbers = [producerId, lastOffset, lastStableOffset].every(Number.isSafeInteger)
  if (!areNumbers || producerId < 0 || lastStableOffset < 0) return false
  return firstOffset >= 0 && firstOffset < lastOffset
}

function entryAt(bytes: Buffer, at: number): AbortedTransactionEntry {
  return {
    producerId: readInt64(bytes, at + 2),
    firstOffset: readInt64(bytes, at + 10),
    lastOffset: readInt64(bytes, at + 18),
    lastStableOffset: readInt64(bytes, at + 26),
  }
}
