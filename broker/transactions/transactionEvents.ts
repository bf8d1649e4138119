// The events and effects of a transaction coordinator. Plain data. What the driver does with each
// effect, and in which order, is stated in transactionCoordinator.ts.

import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import type { EndTxnRequest } from './endTxnRules.ts'
import type { PartitionSet } from './partitionSet.ts'
import type { InitProducerIdRequest } from './producerRules.ts'
import type { TransactionRecord } from './transactionLogRecords.ts'
import type { ClientTransactionVersion } from './transactionMetadata.ts'
import type { TransactionOutcome } from './transactionOutcome.ts'
import type { ProducerIdentity } from './transactionVerifier.ts'

/** Ends a producer's transaction in the partitions that it wrote to. */
export interface TransactionMarker {
  readonly producerId: number
  readonly producerEpoch: number
  readonly committed: boolean
}

export type TransactionEvent =
  | {
      readonly type: 'initProducerId'
      readonly requestId: number
      readonly transactionalId: string
      readonly request: InitProducerIdRequest
    }
  | {
      readonly type: 'addPartitions'
      readonly requestId: number
      readonly producer: ProducerIdentity
      readonly partitions: readonly TopicPartition[]
      readonly version: ClientTransactionVersion
    }
  | {
      readonly type: 'endTxn'
      readonly requestId: number
      readonly transactionalId: string
      readonly request: EndTxnRequest
    }
  /** All records of the log have been restored. */
  | { readonly type: 'loaded' }
  /** A producer id was reserved; undefined when the reservation failed. */
  | {
      readonly type: 'allocated'
      readonly stepId: number
      readonly producerId: number | undefined
    }
  /** The record is durable, or `errorCode` says why it failed. */
  | { readonly type: 'appended'; readonly stepId: number; readonly errorCode: number }
  /** The marker is durable in all partitions except the missing ones. */
  | {
      readonly type: 'markersWritten'
      readonly transactionalId: string
      readonly missing: PartitionSet
    }
  /** It is time to retry the end of a transaction. */
  | { readonly type: 'resumed'; readonly transactionalId: string }
  /** It is time to abort transactions that have exceeded their timeouts. */
  | { readonly type: 'abortTimedOut' }
  /** It is time to remove expired transactional ids. */
  | { readonly type: 'removeExpired' }

export type TransactionEffect =
  /** Reserve a producer id that was never given out, then report `allocated`. */
  | { readonly type: 'allocate'; readonly stepId: number }
  /** Append the record, then report `appended`. */
  | { readonly type: 'append'; readonly stepId: number; readonly record: TransactionRecord }
  /** Write the marker to each of the partitions, then report `markersWritten`. */
  | {
      readonly type: 'writeMarkers'
      readonly transactionalId: string
      readonly marker: TransactionMarker
      readonly partitions: PartitionSet
    }
  | { readonly type: 'answer'; readonly requestId: number; readonly outcome: TransactionOutcome }
  /** The end of the transaction failed: report `resumed` after a delay. */
  | { readonly type: 'resumeLater'; readonly transactionalId: string }
  /** No step of the id is in progress any more: refused requests may be retried. */
  | { readonly type: 'settled'; readonly transactionalId: string }
