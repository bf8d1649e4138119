// The visible batches of a log with transactions, against a model that knows how each one ended.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AbortedTransaction,
  visibleBatches,
} from '../../../../protocol/client/consumer/visibleBatches.ts'
import { buildEndTransactionMarker } from '../../../../protocol/kafka/records/endTransactionMarker.ts'
import { RecordBatch, splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import { encodedBatch } from '../batches.ts'

type Fate = 'plain' | 'open' | 'committed' | 'aborted'

interface Transaction {
  readonly producerId: number
  readonly firstOffset: number
  fate: Fate
  markerOffset: number
}

interface Entry {
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly nextOffset: number
  /** The transaction of the batch; undefined for markers and outside of transactions. */
  readonly transaction: Transaction | undefined
  readonly isMarker: boolean
}

/**
 * A log in memory that answers fetches as a broker does: whole batches, cut off by a size limit.
 */
class ModelLog {
  readonly entries: Entry[] = []
  readonly transactions: Transaction[] = []
  readonly #open = new Map<number, Transaction>()
  nextOffset = 0

  plain(count: number): void {
    this.#append(encodedBatch(this.#values(count)), undefined, false)
  }

  /** Appends a batch outside of transactions, also while the producer has one open. */
  idempotent(producerId: number, count: number): void {
    const identity = { producerId, producerEpoch: 0 }
    this.#append(encodedBatch(this.#values(count), identity), undefined, false)
  }

  transactional(producerId: number, count: number): void {
    let transaction = this.#open.get(producerId)
    if (!transaction) {
      transaction = { producerId, firstOffset: this.nextOffset, fate: 'open', markerOffset: -1 }
      this.#open.set(producerId, transaction)
      this.transactions.push(transaction)
    }
    const builder = new RecordBatchBuilder({
      ...{ producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true },
    })
    for (const value of this.#values(count)) builder.append(1_000, null, Buffer.from(value))
    this.#append(builder.build(), transaction, false)
  }

  end(producerId: number, isCommit: boolean): void {
    const transaction = this.#open.get(producerId)
    if (!transaction) return
    this.#open.delete(producerId)
    transaction.fate = isCommit ? 'committed' : 'aborted'
    transaction.markerOffset = this.nextOffset
    const producer = { producerId, producerEpoch: 0 }
    const marker = buildEndTransactionMarker(producer, { isCommit, coordinatorEpoch: 0 }, 1_000)
    this.#append(marker, undefined, true)
  }

  get lastStableOffset(): number {
    const open = [...this.#open.values()].map(({ firstOffset }) => firstOffset)
    return Math.min(this.nextOffset, ...open)
  }

  /**
   * Returns the batches up to the last stable offset, and the aborted transactions that overlap
   * them (KIP-98).
   */
  fetch(offset: number, maxBytes: number): { records: Buffer; aborted: AbortedTransaction[] } {
    const sent: Entry[] = []
    let bytes = 0
    for (const entry of this.entries) {
      if (entry.nextOffset <= offset || entry.nextOffset > this.lastStableOffset) continue
      if (sent.length > 0 && bytes >= maxBytes) break
      sent.push(entry)
      bytes += entry.bytes.length
    }
    const end = sent.at(-1)?.nextOffset ?? offset
    const aborted = this.transactions.filter(
      ({ fate, firstOffset, markerOffset }) =>
        fate === 'aborted' && firstOffset < end && markerOffset >= offset,
    )
    const all = Buffer.concat(sent.map((entry) => entry.bytes))
    // The last batch may be cut anywhere, unless it is alone.
    const whole = sent.length === 1 ? all.length : Math.max(sent[0]?.bytes.length ?? 0, maxBytes)
    return { records: all.subarray(0, whole), aborted }
  }

  /** Offsets that a reader from `offset` on must see below the last stable offset. */
  visible(offset: number): number[] {
    const seen: number[] = []
    for (const { baseOffset, nextOffset, transaction, isMarker } of this.entries) {
      if (isMarker || nextOffset > this.lastStableOffset) continue
      if (transaction && transaction.fate !== 'committed') continue
      for (let at = baseOffset; at < nextOffset; at++) if (at >= offset) seen.push(at)
    }
    return seen
  }

  #values(count: number): string[] {
    return Array.from({ length: count }, (_, at) => `value ${this.nextOffset + at}`)
  }

  #append(bytes: Buffer, transaction: Transaction | undefined, isMarker: boolean): void {
    const batch = new RecordBatch(bytes)
    batch.baseOffset = this.nextOffset
    const { baseOffset, nextOffset } = batch
    this.entries.push({ bytes, baseOffset, nextOffset, transaction, isMarker })
    this.nextOffset = nextOffset
  }
}

type Step = (log: ModelLog) => void

const producers = fc.integer({ min: 1, max: 3 })
const counts = fc.integer({ min: 1, max: 3 })
const step: fc.Arbitrary<Step> = fc
  .tuple(
    fc.constantFrom('plain', 'idempotent', 'transactional', 'commit', 'abort'),
    producers,
    counts,
  )
  .map(([kind, producerId, count]) => (log) => {
    if (kind === 'plain') log.plain(count)
    else if (kind === 'idempotent') log.idempotent(producerId, count)
    else if (kind === 'transactional') log.transactional(producerId, count)
    else log.end(producerId, kind === 'commit')
  })

function offsetsIn(batches: Buffer, from: number): number[] {
  const offsets: number[] = []
  for (const batch of splitBatches(batches)) {
    for (const { offset, value } of records(batch, 1 << 20)) {
      expect(value?.toString()).toBe(`value ${offset}`)
      if (offset >= from) offsets.push(offset)
    }
  }
  return offsets
}

describe('visibleBatches', () => {
  test('a committed reader sees each committed record once, whatever the offsets and response sizes', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.nat(40),
        fc.integer({ min: 1, max: 600 }),
        (steps, start, maxBytes) => {
          const log = new ModelLog()
          for (const each of steps) each(log)
          const from = Math.min(start, log.lastStableOffset)
          const seen: number[] = []
          let offset = from
          while (offset < log.lastStableOffset) {
            const { records: sent, aborted } = log.fetch(offset, maxBytes)
            const { batches, nextOffset } = visibleBatches(sent, aborted)
            seen.push(...offsetsIn(batches, offset))
            expect(nextOffset).toBeGreaterThan(offset)
            offset = nextOffset!
          }
          expect(seen).toEqual(log.visible(from))
        },
      ),
      { numRuns: 1500 },
    )
  })

  test('an uncommitted reader sees all batches except control batches', () => {
    const log = new ModelLog()
    log.transactional(1, 2)
    log.plain(1)
    log.end(1, false)
    const all = Buffer.concat(log.entries.map(({ bytes }) => bytes))
    const { batches, nextOffset } = visibleBatches(all, [])
    expect(offsetsIn(batches, 0)).toEqual([0, 1, 2])
    expect(nextOffset).toBe(4)
  })

  test('a response without hidden batches is returned without a copy', () => {
    const log = new ModelLog()
    log.plain(2)
    log.transactional(1, 1)
    const all = Buffer.concat(log.entries.map(({ bytes }) => bytes))
    const { batches } = visibleBatches(all, [])
    expect(batches.buffer).toBe(all.buffer)
    expect(batches.equals(all)).toBe(true)
  })

  test('a response with only hidden batches still advances the reader', () => {
    const log = new ModelLog()
    log.transactional(7, 3)
    log.end(7, false)
    const { records: sent, aborted } = log.fetch(1, 1000)
    const { batches, nextOffset } = visibleBatches(sent, aborted)
    expect({ bytes: batches.length, nextOffset }).toEqual({ bytes: 0, nextOffset: 4 })
  })

  test('bytes after the last whole batch are cut off', () => {
    const batch = encodedBatch(['a'])
    for (const extra of [batch.length, 0, 5, 11, 12]) {
      const bytes = Buffer.concat([batch, Buffer.alloc(extra, 0xff)])
      expect(visibleBatches(bytes, []).batches.length).toBe(batch.length)
    }
    expect(visibleBatches(batch.subarray(0, 40), [])).toMatchObject({ nextOffset: undefined })
  })

  test('a batch shorter than its header is malformed', () => {
    const short = Buffer.alloc(20)
    short.writeInt32BE(8, 8)
    expect(() => visibleBatches(short, [])).toThrow(/record batch of 20 bytes/)
  })

  test('attributes of older formats are not read as transaction flags', () => {
    const old = encodedBatch(['a'])
    old.writeInt8(1, 16)
    old.writeInt16BE(0x30, 21)
    expect(visibleBatches(old, []).batches.length).toBe(old.length)
  })
})
