// What a coordinator knows of one transactional id, and what each step makes of it: Kafka's
// TransactionMetadata as a value. Which step may be taken when is decided in endTxnRules.ts and
// transactionCoordinator.ts; here is only what comes out.

import { TransactionStatus } from '../../protocol/kafka/transactionRecords.ts'
import { PartitionSet, type TopicPartition } from './partitionSet.ts'

/** What a client speaks: 0 is KIP-98; with 2 every transaction has an epoch of its own (KIP-890). */
export type ClientTransactionVersion = 0 | 2

export const noProducerId = -1
export const noEpoch = -1

/** The highest epoch there is. It is never given to a client, so that anyone can be fenced. */
export const maxEpoch = 2 ** 15 - 1

export interface TransactionMetadata {
  readonly producerId: number
  /** The producer id before the last step: by it a client is known that missed a change of id. */
  readonly previousProducerId: number
  /** The producer id that the end of this transaction changes to, when epochs are used up. */
  readonly nextProducerId: number
  readonly producerEpoch: number
  /** The epoch before the last bump that its own producer asked for; -1 when another one did. */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly status: TransactionStatus
  readonly partitions: PartitionSet
  /** When the first partition was added; -1 when there has been none. */
  readonly startTimestampMs: number
  readonly lastUpdateTimestampMs: number
  /** Of the client that took the last step. */
  readonly clientTransactionVersion: ClientTransactionVersion
}

/** No further epoch of this producer id may be given to a client. */
export function isExhausted(epoch: number): boolean {
  return epoch >= maxEpoch - 1
}

export function isPreparing({ status }: TransactionMetadata): boolean {
  return status === TransactionStatus.prepareCommit || status === TransactionStatus.prepareAbort
}

export function isCommitting({ status }: TransactionMetadata): boolean {
  return status === TransactionStatus.prepareCommit
}

/** A producer begins, under an id that nobody has had. */
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

/** A producer begins again under an epoch of the same id, or under a new id. */
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

/** How a transaction ends is decided; its markers carry the epoch that this has. */
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

/** Every partition has its marker. */
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
