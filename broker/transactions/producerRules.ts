// Who may do what with a transactional id: Kafka's rules for InitProducerId, for adding partitions and
// for verifying them, as error codes. Those for ending a transaction are in endTxnRules.ts.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { TransactionStatus } from '../../protocol/kafka/transactionRecords.ts'
import { claimError } from './endTxnRules.ts'
import type { TopicPartition } from './partitionSet.ts'
import { type Entry, isBusy, isKnown } from './transactionEntry.ts'
import { isExhausted, type TransactionMetadata } from './transactionMetadata.ts'
import type { ProducerIdentity } from './transactionVerifier.ts'

export interface InitProducerIdRequest {
  readonly timeoutMs: number
  /** What the producer has been told before; undefined when it does not say (KIP-360). */
  readonly expected: { readonly producerId: number; readonly producerEpoch: number } | undefined
}

/**
 * Whether a producer that says who it was has been replaced by another one since (KIP-360). It may
 * be one epoch behind when it asked before and did not hear the answer.
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
  // Asked first: the step under way may lead to the producer id that asks.
  return isBusy(entry) ? ErrorCode.concurrentTransactions : claimError(entry.metadata, producer)
}

export function refuseToVerify(entry: Entry | undefined, producer: ProducerIdentity): number {
  if (producer.transactionalId === '') return ErrorCode.invalidRequest
  if (!isKnown(entry)) return ErrorCode.invalidProducerIdMapping
  const error = claimError(entry.metadata, producer)
  if (error !== ErrorCode.none) return error
  // What is written after the marker would stay open for ever; other partitions may be added.
  const isEnding = isBusy(entry) && entry.step !== 'add'
  return isEnding ? ErrorCode.concurrentTransactions : ErrorCode.none
}

export function isPartOf(
  metadata: TransactionMetadata,
  partitions: readonly TopicPartition[],
): boolean {
  if (metadata.status !== TransactionStatus.ongoing) return false
  return partitions.every((partition) => metadata.partitions.has(partition))
}
