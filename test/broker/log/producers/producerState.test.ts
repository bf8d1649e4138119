// Idempotence: each batch of a producer is in the log once, whatever is retried, and whenever the
// state is saved to a snapshot and loaded.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
} from '../../../../broker/log/producers/producerSnapshot.ts'
import { ProducerState, sequenceBefore } from '../../../../broker/log/producers/producerState.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { buildEndTransactionMarker } from '../../../../protocol/kafka/records/endTransactionMarker.ts'
import { RecordBatch, sequenceAfter } from '../../../../protocol/kafka/records/recordBatch.ts'
import { makeBatch } from '../logFixture.ts'

const expirationMs = 1000
const nowMs = 50_000_000
const maxSequence = 2 ** 31 - 1

function batch(
  producerEpoch: number,
  baseSequence: number,
  records = 1,
  baseOffset = 0,
): RecordBatch {
  const made = new RecordBatch(makeBatch({ records, producerId: 7, producerEpoch, baseSequence }))
  made.baseOffset = baseOffset
  return made
}

describe('the rules', () => {
  test('an unknown producer may start at any sequence, a known one continues', () => {
    const state = new ProducerState(expirationMs)
    expect(state.checkClient(batch(0, 40), undefined)).toBe(ErrorCode.none)
    state.append(batch(0, 40, 3, 100), nowMs)
    expect(state.checkClient(batch(0, 43), undefined)).toBe(ErrorCode.none)
    expect(state.checkClient(batch(0, 44), undefined)).toBe(ErrorCode.outOfOrderSequenceNumber)
    expect(state.checkClient(batch(0, 41), undefined)).toBe(ErrorCode.outOfOrderSequenceNumber)
  })

  test('a new epoch starts at 0, an old one is fenced', () => {
    const state = new ProducerState(expirationMs)
    state.append(batch(3, 9), nowMs)
    expect(state.checkClient(batch(4, 1), undefined)).toBe(ErrorCode.outOfOrderSequenceNumber)
    expect(state.checkClient(batch(4, 0), undefined)).toBe(ErrorCode.none)
    expect(state.checkClient(batch(2, 10), undefined)).toBe(ErrorCode.invalidProducerEpoch)
  })

  test('sequence numbers wrap around to 0', () => {
    const state = new ProducerState(expirationMs)
    state.append(batch(0, maxSequence - 1, 4, 10), nowMs)
    expect(state.get(7)?.batches.at(-1)?.lastSequence).toBe(1)
    expect(state.checkClient(batch(0, 2), undefined)).toBe(ErrorCode.none)
    expect(state.findDuplicate(batch(0, maxSequence - 1, 4))).toMatchObject({
      lastOffset: 13,
      offsetDelta: 3,
    })
    expect(sequenceBefore(sequenceAfter(maxSequence, 5), 5)).toBe(maxSequence)
  })

  test('the last five batches are remembered, the one before them is not', () => {
    const state = new ProducerState(expirationMs)
    for (let sequence = 0; sequence < 6; sequence++)
      state.append(batch(0, sequence, 1, sequence), nowMs)
    expect(state.checkClient(batch(0, 0), undefined)).toBe(ErrorCode.outOfOrderSequenceNumber)
    for (let sequence = 1; sequence < 6; sequence++) {
      expect(state.findDuplicate(batch(0, sequence))?.lastOffset).toBe(sequence)
    }
    expect(state.findDuplicate(batch(0, 1, 2))).toBeUndefined()
  })

  test('an idle producer expires, however old its records', () => {
    const state = new ProducerState(expirationMs)
    state.append(batch(0, 0), nowMs)
    state.expire(nowMs + expirationMs - 1)
    expect(state.size).toBe(1)
    state.expire(nowMs + expirationMs)
    expect(state.size).toBe(0)
  })
})

describe('a transaction', () => {
  const sent = (producerEpoch: number, baseSequence: number, baseOffset: number) => {
    const spec = { records: 1, producerId: 7, producerEpoch, baseSequence, isTransactional: true }
    const made = new RecordBatch(makeBatch(spec))
    made.baseOffset = baseOffset
    return made
  }
  const marker = (producerEpoch: number, coordinatorEpoch: number, baseOffset: number) => {
    const ends = { isCommit: false, coordinatorEpoch }
    const bytes = buildEndTransactionMarker({ producerId: 7, producerEpoch }, ends, 5000)
    const made = new RecordBatch(bytes)
    made.baseOffset = baseOffset
    return made
  }

  test('ends with a marker, whose epoch its producer continues with', () => {
    const state = new ProducerState(expirationMs)
    state.append(sent(0, 0, 10), nowMs)
    state.append(sent(0, 1, 11), nowMs)
    expect(state.isInTransaction(7, 0)).toBe(true)
    expect(state.isInTransaction(7, 1)).toBe(false)
    expect(state.append(marker(1, 3, 12), nowMs)).toEqual({
      producerId: 7,
      firstOffset: 10,
      lastOffset: 12,
      lastStableOffset: 13,
      isCommit: false,
    })
    expect(state.get(7)).toMatchObject({
      producerEpoch: 1,
      coordinatorEpoch: 3,
      lastTimestampMs: 5000,
      currentTxnFirstOffset: -1,
      batches: [],
    })
    expect(state.findDuplicate(sent(0, 1, 0))).toBeUndefined()
    expect(state.append(marker(1, 3, 13), nowMs)).toBeUndefined()
  })

  test('in the same epoch leaves the batches before its marker remembered', () => {
    const state = new ProducerState(expirationMs)
    state.append(sent(0, 0, 10), nowMs)
    state.append(marker(0, 0, 11), nowMs)
    expect(state.findDuplicate(sent(0, 0, 0))?.lastOffset).toBe(10)
    expect(state.checkClient(sent(0, 1, 0), undefined)).toBe(ErrorCode.none)
  })

  test('keeps its producer from expiring, also through a snapshot', () => {
    let state = new ProducerState(expirationMs)
    state.append(sent(0, 0, 10), nowMs)
    state.expire(nowMs + 10 * expirationMs)
    state = decodeProducerSnapshot(encodeProducerSnapshot(state), expirationMs, nowMs)!
    expect(state.transactions.firstOffset).toBe(10)
    expect(state.append(marker(0, 0, 11), nowMs)).toMatchObject({ firstOffset: 10 })
    state = decodeProducerSnapshot(encodeProducerSnapshot(state), expirationMs, nowMs)!
    expect(state.transactions.firstOffset).toBeUndefined()
    expect(state.get(7)).toMatchObject({ coordinatorEpoch: 0, lastTimestampMs: 5000 })
    state.expire(nowMs + expirationMs)
    expect(state.size).toBe(0)
  })
})

test('each batch counts once, whatever is retried, with snapshots in between', () => {
  const step = fc.record({
    producer: fc.integer({ min: 0, max: 2 }),
    records: fc.integer({ min: 1, max: 4 }),
    resendBack: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
    snapshot: fc.boolean(),
  })
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 0, max: 9 }),
      (steps, room) => {
        let state = new ProducerState(expirationMs)
        const next = [maxSequence - room, 0, 12]
        const sent: { bytes: Buffer; lastOffset: number }[][] = [[], [], []]
        let offset = 0
        for (const { producer, records, resendBack, snapshot } of steps) {
          const again = resendBack === undefined ? undefined : sent[producer]!.at(-1 - resendBack)
          if (again) {
            expect(state.findDuplicate(new RecordBatch(again.bytes))?.lastOffset).toBe(
              again.lastOffset,
            )
            continue
          }
          const baseSequence = next[producer]!
          const bytes = makeBatch({ records, producerId: producer, producerEpoch: 0, baseSequence })
          const fresh = new RecordBatch(bytes)
          expect(state.findDuplicate(fresh)).toBeUndefined()
          expect(state.checkClient(fresh, undefined)).toBe(ErrorCode.none)
          fresh.baseOffset = offset
          state.append(fresh, nowMs)
          offset += records
          next[producer] = sequenceAfter(baseSequence, records)
          sent[producer]!.push({ bytes, lastOffset: offset - 1 })
          if (snapshot)
            state = decodeProducerSnapshot(encodeProducerSnapshot(state), expirationMs, nowMs)!
        }
      },
    ),
  )
})

describe('the snapshot', () => {
  test('has the bytes of Kafka', () => {
    const state = new ProducerState(expirationMs)
    state.append(batch(2, 5, 3, 100), nowMs)
    expect(encodeProducerSnapshot(state).subarray(6).toString('hex')).toBe(
      [
        '00000001', // entries
        '0000000000000007', // producer id
        '0002', // producer epoch
        '00000007', // last sequence
        '0000000000000066', // last offset
        '00000002', // offset delta
        '00000000000003ea', // timestamp
        'ffffffff', // coordinator epoch
        'ffffffffffffffff', // first offset of the current transaction
      ].join(''),
    )
  })

  test('is read back unchanged', () => {
    const state = new ProducerState(expirationMs)
    for (let sequence = 0; sequence < 7; sequence++)
      state.append(batch(1, sequence, 1, sequence), nowMs)
    const decoded = decodeProducerSnapshot(encodeProducerSnapshot(state), expirationMs, nowMs)
    expect([...decoded!.entries()]).toEqual([...state.entries()])
  })

  test('is refused if any bit is wrong or any byte is missing', () => {
    const state = new ProducerState(expirationMs)
    state.append(batch(1, 0), nowMs)
    const bytes = encodeProducerSnapshot(state)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeProducerSnapshot(flipped, expirationMs, nowMs)).toBeUndefined()
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeProducerSnapshot(bytes.subarray(0, length), expirationMs, nowMs)).toBeUndefined()
    }
  })
})
