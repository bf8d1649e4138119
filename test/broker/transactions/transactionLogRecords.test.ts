// Transaction metadata survives a round trip, except for fields that Kafka keeps in memory only.

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PartitionSet } from '../../../broker/transactions/partitionSet.ts'
import {
  decodeTransactionRecord,
  encodeTransactionRecord,
} from '../../../broker/transactions/transactionLogRecords.ts'
import type { TransactionMetadata } from '../../../broker/transactions/transactionMetadata.ts'
import {
  TransactionStatus,
  transactionLogValue,
} from '../../../protocol/kafka/coordinators/transactionRecords.ts'

const producerId = fc.integer({ min: -1, max: 2 ** 40 })
const epoch = fc.integer({ min: 0, max: 32_767 })
const timestamp = fc.integer({ min: -1, max: 2 ** 42 })
const partition = fc.record({ topic: fc.constantFrom('a', 'b-1', 'ü'), partition: fc.nat(1000) })

const metadata: fc.Arbitrary<TransactionMetadata> = fc.record({
  producerId,
  previousProducerId: producerId,
  nextProducerId: producerId,
  producerEpoch: epoch,
  lastProducerEpoch: fc.constant(-1),
  timeoutMs: fc.nat(),
  status: fc.constantFrom(
    TransactionStatus.ongoing,
    TransactionStatus.prepareCommit,
    TransactionStatus.prepareAbort,
    TransactionStatus.completeCommit,
    TransactionStatus.completeAbort,
  ),
  partitions: fc.array(partition, { maxLength: 20 }).map((each) => PartitionSet.of(each)),
  startTimestampMs: timestamp,
  lastUpdateTimestampMs: timestamp,
  clientTransactionVersion: fc.constantFrom(0 as const, 2 as const),
})

test('metadata survives a round trip', () => {
  fc.assert(
    fc.property(fc.string(), metadata, (transactionalId, before) => {
      const { key, value } = encodeTransactionRecord({ transactionalId, metadata: before })
      const record = decodeTransactionRecord(key, value)!
      expect(record.transactionalId).toBe(transactionalId)
      expect(record.metadata!.partitions.byTopic()).toEqual(before.partitions.byTopic())
      const partitions = PartitionSet.empty
      expect({ ...record.metadata!, partitions }).toEqual({ ...before, partitions })
    }),
  )
})

test('a tombstone and an empty transaction have the bytes of Kafka', () => {
  const removed = encodeTransactionRecord({ transactionalId: 'x', metadata: null })
  expect(removed.value).toBeNull()
  expect(decodeTransactionRecord(removed.key, null)).toEqual({
    transactionalId: 'x',
    metadata: null,
  })
  const [begun] = fc.sample(metadata, 1)
  const empty = { ...begun!, status: TransactionStatus.empty, partitions: PartitionSet.empty }
  const { value } = encodeTransactionRecord({ transactionalId: 'x', metadata: empty })
  expect(transactionLogValue.decode(value!).transactionPartitions).toBeNull()
})

test('a record with a state that is never written is malformed', () => {
  const [begun] = fc.sample(metadata, 1)
  const dead = { ...begun!, status: TransactionStatus.dead }
  const { key, value } = encodeTransactionRecord({ transactionalId: 'x', metadata: dead })
  expect(() => decodeTransactionRecord(key, value)).toThrow('status 6')
})
