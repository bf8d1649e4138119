// Kafka's rules for InitProducerId, and for adding and verifying partitions, as error codes. The
// rules for ending a transaction are in endTxnRules.ts. Pure functions.

import { TransactionStatus } from '../../protocol/kafka/coordinators/transactionRecords.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import { claimError } from './endTxnRules.ts'
import { type Entry, isBusy, isKnown } from './transactionEntry.ts'
import { isExhausted, type TransactionMetadata } from './transactionMetadata.ts'
import type { ProducerIdentity } from './transactionVerifier.ts'

export interface InitProducerIdRequest {
  readonly timeoutMs: number
  /**
   * The producer id and epoch that the producer had before; undefined when it names none (KIP-360).
   */
  readonly expected: { readonly producerId: number; readonly producerEpoch: number } | undefined
}

/**
 * Whether the producer that names its id and epoch was replaced by another one since (KIP-360). It
 * may be one epoch behind if the answer to its previous InitProducerId was lost.
 */
export function isFenced(
  metadata: TransactionMetadata,
  { expected }: InitProducerIdRequest,
): boolean {
  if (!expected) return false
  const { producerId, previousProducerId, producerEpoch, lastProducerEpoch } = metadata
  const epoch = expected.producerEpoch
  if (expected.producerId === producerId) {
    return epoch !== producerEpoch && epoch !== lastProducerEpoch
  }
  const missedNewId = expected.producerId === previousProducerId && isExhausted(epoch)
  return !missedNewId || epoch !== lastProducerEpoch
}

export function refuseToAdd(entry: Entry | undefined, producer: ProducerIdentity): number {
  if (producer.transactionalId === '') return ErrorCode.invalidRequest
  if (!isKnown(entry)) return ErrorCode.invalidProducerIdMapping
  // Checked first: the step in progress may lead to the producer id of this request.
  return isBusy(entry) ? ErrorCode.concurrentTransactions : claimError(entry.metadata, producer)
}

export function refuseToVerify(entry: Entry | undefined, producer: ProducerIdentity): number {
  if (producer.transactionalId === '') return ErrorCode.invalidRequest
  if (!isKnown(entry)) return ErrorCode.invalidProducerIdMapping
  const error = claimError(entry.metadata, producer)
  if (error !== ErrorCode.none) return error
  // A record behind the marker would open a transaction that nobody ends. An addition in progress
  // does not end the transaction.
  const isEnding = isBusy(entry) && entry.step?.type !== 'add'
  return isEnding ? ErrorCode.concurrentTransactions : ErrorCode.none
}

export function isPartOf(
  metadata: TransactionMetadata,
  partitions: readonly TopicPartition[],
): boolean {
  if (metadata.status !== TransactionStatus.ongoing) return false
  return partitions.every((partition) => metadata.partitions.has(partition))
}
