// Kafka's TransactionMetadata, as an immutable value, and the value after each step. Which step is
// allowed is decided in endTxnRules.ts, producerRules.ts and transactionCoordinator.ts.

import { TransactionStatus } from '../../protocol/kafka/coordinators/transactionRecords.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import { PartitionSet } from './partitionSet.ts'

/**
 * The client's transaction version: 0 is KIP-98; with 2, every transaction has its own epoch
 * (KIP-890).
 */
export type ClientTransactionVersion = 0 | 2

export const noProducerId = -1
export const noEpoch = -1

/**
 * The highest producer epoch. It is never given to a client, so that every client can be fenced.
 */
export const maxEpoch = 2 ** 15 - 1

export interface TransactionMetadata {
  readonly producerId: number
  /** The producer id before the last step. Recognizes a client that missed a change of the id. */
  readonly previousProducerId: number
  /**
   * The producer id after the end of this transaction, when the epochs of the current one are
   * exhausted.
   */
  readonly nextProducerId: number
  readonly producerEpoch: number
  /**
   * The epoch before the last bump, if the producer itself had asked for it; -1 if another producer
   * had.
   */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly status: TransactionStatus
  readonly partitions: PartitionSet
  /** When the first partition was added; -1 without partitions. */
  readonly startTimestampMs: number
  readonly lastUpdateTimestampMs: number
  /** The version of the client of the last step. */
  readonly clientTransactionVersion: ClientTransactionVersion
}

/** Whether no further epoch of this producer id may be given to a client. */
export function isExhausted(epoch: number): boolean {
  return epoch >= maxEpoch - 1
}

export function isPreparing({ status }: TransactionMetadata): boolean {
  return status === TransactionStatus.prepareCommit || status === TransactionStatus.prepareAbort
}

export function isCommitting({ status }: TransactionMetadata): boolean {
  return status === TransactionStatus.prepareCommit
}

/** Returns the metadata of a producer that begins under a new producer id. */
export function initialized(
  producerId: number,
  timeoutMs: number,
  nowMs: number,
): TransactionMetadata {
  return {
    producerId,
    previousProducerId: noProducerId,
    nextProducerId: noProducerId,
    producerEpoch: 0,
    lastProducerEpoch: noEpoch,
    timeoutMs,
    status: TransactionStatus.empty,
    partitions: PartitionSet.empty,
    startTimestampMs: -1,
    lastUpdateTimestampMs: nowMs,
    clientTransactionVersion: 0,
  }
}

/** Returns the metadata of a producer that begins again, under another epoch or producer id. */
export function initializedAgain(
  before: TransactionMetadata,
  identity: Pick<TransactionMetadata, 'producerId' | 'producerEpoch' | 'lastProducerEpoch'>,
  timeoutMs: number,
  nowMs: number,
): TransactionMetadata {
  return {
    ...before,
    ...identity,
    previousProducerId: before.producerId,
    timeoutMs,
    status: TransactionStatus.empty,
    partitions: PartitionSet.empty,
    startTimestampMs: -1,
    lastUpdateTimestampMs: nowMs,
  }
}

export function withPartitions(
  before: TransactionMetadata,
  partitions: Iterable<TopicPartition>,
  clientTransactionVersion: ClientTransactionVersion,
  nowMs: number,
): TransactionMetadata {
  const isOpen = before.status === TransactionStatus.ongoing
  return {
    ...before,
    previousProducerId: before.producerId,
    status: TransactionStatus.ongoing,
    partitions: before.partitions.with(partitions),
    startTimestampMs: isOpen ? before.startTimestampMs : nowMs,
    lastUpdateTimestampMs: nowMs,
    clientTransactionVersion,
  }
}

export interface TransactionEnd {
  readonly committed: boolean
  readonly clientTransactionVersion: ClientTransactionVersion
}

/** Returns the metadata after the decision of an end. Its epoch is that of the markers. */
export function prepared(
  before: TransactionMetadata,
  { committed, clientTransactionVersion }: TransactionEnd,
  nextProducerId: number,
  nowMs: number,
): TransactionMetadata {
  const isOpen = before.status === TransactionStatus.ongoing
  const bumped = clientTransactionVersion === 2
  return {
    ...before,
    previousProducerId: before.producerId,
    nextProducerId,
    producerEpoch: bumped ? Math.min(before.producerEpoch + 1, maxEpoch) : before.producerEpoch,
    lastProducerEpoch: bumped ? before.producerEpoch : before.lastProducerEpoch,
    status: committed ? TransactionStatus.prepareCommit : TransactionStatus.prepareAbort,
    startTimestampMs: isOpen ? before.startTimestampMs : nowMs,
    lastUpdateTimestampMs: nowMs,
    clientTransactionVersion,
  }
}

/** Returns the metadata after every partition has its marker. */
export function completed(before: TransactionMetadata, nowMs: number): TransactionMetadata {
  const changesId = before.nextProducerId !== noProducerId
  return {
    ...before,
    producerId: changesId ? before.nextProducerId : before.producerId,
    previousProducerId: before.producerId,
    nextProducerId: noProducerId,
    producerEpoch: changesId ? 0 : before.producerEpoch,
    status: isCommitting(before)
      ? TransactionStatus.completeCommit
      : TransactionStatus.completeAbort,
    partitions: PartitionSet.empty,
    lastUpdateTimestampMs: nowMs,
  }
}
