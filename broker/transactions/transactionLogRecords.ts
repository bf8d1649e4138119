// Encodes and decodes the records of __transaction_state, in Kafka's format, so that Kafka's tools
// and brokers can read them.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import {
  decodeTransactionRecordKey,
  encodeTransactionRecordKey,
  TransactionStatus,
  transactionLogValue,
} from '../../protocol/kafka/coordinators/transactionRecords.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import { PartitionSet } from './partitionSet.ts'
import {
  type ClientTransactionVersion,
  noEpoch,
  type TransactionMetadata,
} from './transactionMetadata.ts'

/** The record of a transactional id. Null metadata (a tombstone) removes the id. */
export interface TransactionRecord {
  readonly transactionalId: string
  readonly metadata: TransactionMetadata | null
}

/** The states that a coordinator writes. The other states are transitions between these. */
const writtenStatuses: ReadonlySet<number> = new Set([
  TransactionStatus.empty,
  TransactionStatus.ongoing,
  TransactionStatus.prepareCommit,
  TransactionStatus.prepareAbort,
  TransactionStatus.completeCommit,
  TransactionStatus.completeAbort,
])

export function encodeTransactionRecord({ transactionalId, metadata }: TransactionRecord): {
  key: Buffer
  value: Buffer | null
} {
  return {
    key: encodeTransactionRecordKey(transactionalId),
    value: metadata && encodeMetadata(metadata),
  }
}

/**
 * Decodes a record. Undefined for kinds of records that this broker does not use. Throws
 * MalformedError.
 */
export function decodeTransactionRecord(
  key: Buffer,
  value: Buffer | null,
): TransactionRecord | undefined {
  const transactionalId = decodeTransactionRecordKey(key)
  if (transactionalId === undefined) return undefined
  return { transactionalId, metadata: value && decodeMetadata(value) }
}

function encodeMetadata(metadata: TransactionMetadata): Buffer {
  const isEmpty = metadata.status === TransactionStatus.empty
  return transactionLogValue.encode({
    producerId: metadata.producerId,
    previousProducerId: metadata.previousProducerId,
    nextProducerId: metadata.nextProducerId,
    producerEpoch: metadata.producerEpoch,
    transactionTimeoutMs: metadata.timeoutMs,
    transactionStatus: metadata.status,
    // Kafka's decoders expect null in this state, and a list, possibly empty, in the others.
    transactionPartitions: isEmpty ? null : partitionsOf(metadata.partitions),
    transactionLastUpdateTimestampMs: metadata.lastUpdateTimestampMs,
    transactionStartTimestampMs: metadata.startTimestampMs,
    clientTransactionVersion: metadata.clientTransactionVersion,
  })
}

function partitionsOf(partitions: PartitionSet) {
  return partitions
    .byTopic()
    .map(({ topic, partitions: partitionIds }) => ({ topic, partitionIds }))
}

function decodeMetadata(bytes: Buffer): TransactionMetadata {
  const value = transactionLogValue.decode(bytes)
  if (!writtenStatuses.has(value.transactionStatus)) {
    throw new MalformedError(`TransactionLogValue: status ${value.transactionStatus}`)
  }
  return {
    producerId: value.producerId,
    previousProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    producerEpoch: value.producerEpoch,
    lastProducerEpoch: noEpoch,
    timeoutMs: value.transactionTimeoutMs,
    status: value.transactionStatus as TransactionStatus,
    partitions: PartitionSet.of(flatten(value.transactionPartitions ?? [])),
    startTimestampMs: value.transactionStartTimestampMs,
    lastUpdateTimestampMs: value.transactionLastUpdateTimestampMs,
    clientTransactionVersion: versionOf(value.clientTransactionVersion),
  }
}

function* flatten(
  topics: readonly { readonly topic: string; readonly partitionIds: readonly number[] }[],
): Generator<TopicPartition> {
  for (const { topic, partitionIds } of topics) {
    for (const partition of partitionIds) yield { topic, partition }
  }
}

/**
 * Returns the client's transaction version. Version 1 changed only the format of these records: for
 * clients it equals version 0.
 */
function versionOf(version: number): ClientTransactionVersion {
  return version >= 2 ? 2 : 0
}
