// The records of __transaction_state, in Kafka's own format, so that Kafka's tools and brokers read
// them.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import {
  decodeTransactionRecordKey,
  encodeTransactionRecordKey,
  TransactionStatus,
  transactionLogValue,
} from '../../protocol/kafka/transactionRecords.ts'
import { PartitionSet } from './partitionSet.ts'
import {
  type ClientTransactionVersion,
  noEpoch,
  type TransactionMetadata,
} from './transactionMetadata.ts'

/** Null metadata removes the transactional id. */
export interface TransactionRecord {
  readonly transactionalId: string
  readonly metadata: TransactionMetadata | null
}

/** The states that a coordinator writes; the others are transitions between these. */
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

/** Undefined for records of kinds that are not used here. Throws MalformedError. */
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
    // Kafka's readers expect null in this state, and a list, perhaps an empty one, in the others.
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

/** Version 1 changed only the format of these records: for clients it equals version 0. */
function versionOf(version: number): ClientTransactionVersion {
  return version >= 2 ? 2 : 0
}
