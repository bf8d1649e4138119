// The records of __transaction_state, and the control records that end a transaction in its
// partitions, in Kafka's format.

import { ByteReader } from '../../bytes/reader.ts'
import { ByteWriter } from '../../bytes/writer.ts'
import { array, int8, int16, int32, int64, string } from '../schema/fields.ts'
import { VersionedMessage } from '../schema/versionedMessage.ts'

const keyType = { transactionLog: 0 } as const

const transactionLogKey = new VersionedMessage(
  { transactionalId: string('0+') },
  {
    name: 'TransactionLogKey',
    versions: '0',
    flexibleFrom: Infinity,
    written: 0,
    readsNewer: false,
  },
)

export function encodeTransactionRecordKey(transactionalId: string): Buffer {
  return transactionLogKey.encode({ transactionalId })
}

/** Returns the transactional id; undefined for an unknown record type, which is to be skipped. */
export function decodeTransactionRecordKey(bytes: Uint8Array): string | undefined {
  if (new ByteReader(bytes).int16() !== keyType.transactionLog) return undefined
  return transactionLogKey.decode(bytes).transactionalId
}

/** Kafka's numbers of transaction states. */
export const TransactionStatus = {
  empty: 0,
  ongoing: 1,
  prepareCommit: 2,
  prepareAbort: 3,
  completeCommit: 4,
  completeAbort: 5,
  dead: 6,
  prepareEpochFence: 7,
} as const

export type TransactionStatus = (typeof TransactionStatus)[keyof typeof TransactionStatus]

/**
 * State of a transaction. Version 1 adds the previous and next producer ids and epochs for KIP-890.
 */
export const transactionLogValue = new VersionedMessage(
  {
    producerId: int64('0+'),
    previousProducerId: int64('1+', { default: -1, tag: 0 }),
    nextProducerId: int64('1+', { default: -1, tag: 1 }),
    producerEpoch: int16('0+'),
    nextProducerEpoch: int16('1+', { default: -1, tag: 3 }),
    transactionTimeoutMs: int32('0+'),
    transactionStatus: int8('0+'),
    transactionPartitions: array(
      '0+',
      { topic: string('0+'), partitionIds: array('0+', int32) },
      { nullable: '0+' },
    ),
    transactionLastUpdateTimestampMs: int64('0+'),
    transactionStartTimestampMs: int64('0+'),
    clientTransactionVersion: int16('1+', { default: 0, tag: 2 }),
  },
  { name: 'TransactionLogValue', versions: '0-1', flexibleFrom: 1, written: 1, readsNewer: false },
)

/** Control record types that end a transaction. */
export const ControlRecordType = { abort: 0, commit: 1 } as const

export type ControlRecordType = (typeof ControlRecordType)[keyof typeof ControlRecordType]

const controlKeyBytes = 4

export function encodeControlRecordKey(type: ControlRecordType): Buffer {
  const writer = new ByteWriter(controlKeyBytes)
  writer.int16(0)
  writer.int16(type)
  return writer.take()
}

/** Returns the number of the type, which may be unknown. Throws MalformedError. */
export function decodeControlRecordKey(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes)
  reader.int16()
  return reader.int16()
}

/** Value of both control records: the epoch of the coordinator that ended the transaction. */
export const endTxnMarker = new VersionedMessage(
  { coordinatorEpoch: int32('0+') },
  { name: 'EndTxnMarker', versions: '0', flexibleFrom: Infinity, written: 0, readsNewer: true },
)
