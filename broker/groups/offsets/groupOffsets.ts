// The offsets of one group: committed, pending in transactions until these end (KIP-98), and in
// flight. Only durable offsets can be read. The offset that is later in the log counts, so that the
// end of a transaction does not undo a commit that came after its offset.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { CommittedOffset, OffsetRecord } from '../groupRecords.ts'
import { type OffsetEntry, OffsetTable } from './offsetTable.ts'

/** An append of offsets, or of their tombstones, in flight. */
export interface OffsetWrite {
  readonly records: readonly OffsetRecord[]
  /** Producer id of the transaction; -1 outside of one. */
  readonly producerId: number
  /** Outcome of the transaction: its marker may be reported before the append is. */
  transaction: 'open' | 'committed' | 'aborted'
}

export class GroupOffsets {
  readonly #committed = new OffsetTable()
  readonly #pending = new Map<number, OffsetTable>()
  /** Appends in flight, by append id. */
  readonly #writes = new Map<number, OffsetWrite>()

  /** Whether no offset is committed, pending or in flight. */
  get isEmpty(): boolean {
    return this.#committed.isEmpty && this.#pending.size === 0 && this.#writes.size === 0
  }

  /** Whether an open transaction has offsets of this group. */
  get hasOpenTransactions(): boolean {
    if (this.#pending.size > 0) return true
    return [...this.#writes.values()].some(({ producerId }) => producerId >= 0)
  }

  get isBeingWritten(): boolean {
    return this.#writes.size > 0
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#committed.get(topic, partition)
  }

  committed(): Iterable<OffsetEntry> {
    return this.#committed.entries()
  }

  /**
   * Whether an open transaction may still change this offset: a stable fetch has to wait (KIP-447).
   */
  isUnstable(topic: string, partition: number): boolean {
    for (const table of this.#pending.values()) if (table.get(topic, partition)) return true
    for (const { producerId, records } of this.#writes.values()) {
      if (producerId < 0) continue
      if (records.some((each) => each.topic === topic && each.partition === partition)) return true
    }
    return false
  }

  /**
   * Returns every partition with a committed, pending or in-flight offset: what a deletion removes.
   */
  partitions(): { topic: string; partition: number }[] {
    const found = new Map<string, { topic: string; partition: number }>()
    const note = ({ topic, partition }: { topic: string; partition: number }) =>
      found.set(`${partition}/${topic}`, { topic, partition })
    for (const entry of this.#committed.entries()) note(entry)
    for (const table of this.#pending.values()) for (const entry of table.entries()) note(entry)
    for (const { records } of this.#writes.values()) {
      for (const record of records) if (record.value !== null) note(record)
    }
    return [...found.values()]
  }

  /** Records that the offsets are in flight in this append. `wrote` must follow. */
  writing(appendId: number, records: readonly OffsetRecord[], producerId: number): void {
    this.#writes.set(appendId, { records, producerId, transaction: 'open' })
  }

  /** Returns the offsets in flight in the append; undefined when it is not an append of offsets. */
  inFlight(appendId: number): OffsetWrite | undefined {
    return this.#writes.get(appendId)
  }

  /** Ends an append: it is durable with its first record at `baseOffset`, or failed (undefined). */
  wrote(appendId: number, baseOffset: number | undefined): void {
    const write = this.#writes.get(appendId)
    assert(write, `append ${appendId} of offsets is in flight, and is reported once`)
    this.#writes.delete(appendId)
    if (baseOffset === undefined || write.transaction === 'aborted') return
    const producerId = write.transaction === 'committed' ? -1 : write.producerId
    for (const [index, record] of write.records.entries()) {
      this.apply(record, producerId, baseOffset + index)
    }
  }

  /** Applies a record that is in the log. `producerId` is -1 outside of a transaction. */
  apply({ topic, partition, value }: OffsetRecord, producerId: number, logOffset: number): void {
    if (value === null) {
      this.#committed.remove(topic, partition, logOffset)
      for (const [id, table] of this.#pending) {
        table.remove(topic, partition, logOffset)
        if (table.isEmpty) this.#pending.delete(id)
      }
      return
    }
    this.#tableOf(producerId).set({ topic, partition, value, logOffset })
  }

  /** Ends the producer's transaction, whose marker is in the log. */
  endTransaction(producerId: number, isCommitted: boolean): void {
    for (const write of this.#writes.values()) {
      if (write.producerId === producerId && write.transaction === 'open') {
        write.transaction = isCommitted ? 'committed' : 'aborted'
      }
    }
    const pending = this.#pending.get(producerId)
    this.#pending.delete(producerId)
    if (!pending || !isCommitted) return
    for (const entry of pending.entries()) this.#committed.set(entry)
  }

  #tableOf(producerId: number): OffsetTable {
    if (producerId < 0) return this.#committed
    const known = this.#pending.get(producerId)
    if (known) return known
    const table = new OffsetTable()
    this.#pending.set(producerId, table)
    return table
  }
}
