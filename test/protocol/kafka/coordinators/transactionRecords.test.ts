import { expect, test } from 'vitest'
import {
  ControlRecordType,
  decodeControlRecordKey,
  decodeTransactionRecordKey,
  encodeControlRecordKey,
  encodeTransactionRecordKey,
  endTxnMarker,
  TransactionStatus,
  transactionLogValue,
} from '../../../../protocol/kafka/coordinators/transactionRecords.ts'

const state = {
  producerId: 4000,
  previousProducerId: 3999,
  nextProducerId: -1,
  producerEpoch: 2,
  nextProducerEpoch: 3,
  transactionTimeoutMs: 60_000,
  transactionStatus: TransactionStatus.ongoing,
  transactionPartitions: [{ topic: 't', partitionIds: [0, 1] }],
  transactionLastUpdateTimestampMs: 2,
  transactionStartTimestampMs: 1,
  clientTransactionVersion: 2,
}

test('the key is the transactional id after the type of the record', () => {
  expect(encodeTransactionRecordKey('tx').toString('hex')).toBe('000000027478')
  expect(decodeTransactionRecordKey(encodeTransactionRecordKey('tx'))).toBe('tx')
  expect(decodeTransactionRecordKey(Buffer.from('00010000', 'hex'))).toBeUndefined()
})

test('the state of a transaction round-trips, and version 0 refuses values it would lose', () => {
  expect(transactionLogValue.decode(transactionLogValue.encode(state))).toEqual(state)
  expect(() => transactionLogValue.encode(state, 0)).toThrow(/has no previousProducerId/)
})

test('control records are what clients expect, byte for byte', () => {
  expect(encodeControlRecordKey(ControlRecordType.commit).toString('hex')).toBe('00000001')
  expect(encodeControlRecordKey(ControlRecordType.abort).toString('hex')).toBe('00000000')
  expect(decodeControlRecordKey(Buffer.from('00000001', 'hex'))).toBe(ControlRecordType.commit)
  expect(endTxnMarker.encode({ coordinatorEpoch: 7 }).toString('hex')).toBe('000000000007')
})
