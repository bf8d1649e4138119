// One transactional id in the coordinator's memory: its durable metadata and the step in progress.
// A step is plain data that says how the coordinator continues once the driver has reported.

import { PartitionSet } from './partitionSet.ts'
import {
  isPreparing,
  type TransactionEnd,
  type TransactionMetadata,
} from './transactionMetadata.ts'

/** Why a transaction is being ended, which determines the request to answer. */
export type EndCause =
  | { readonly by: 'endTxn'; readonly requestId: number }
  /**
   * A new producer fences the previous one. It is answered CONCURRENT_TRANSACTIONS, and retries.
   */
  | { readonly by: 'initProducerId'; readonly requestId: number }
  | { readonly by: 'timeout' }

/** A step that waits for a producer id that was never given out. */
export type AllocationStep =
  /** The first producer of a transactional id. */
  | { readonly type: 'allocateFirst'; readonly requestId: number; readonly timeoutMs: number }
  /** The epochs of the current producer id are exhausted. */
  | {
      readonly type: 'allocateAgain'
      readonly requestId: number
      readonly timeoutMs: number
      readonly lastProducerEpoch: number
    }
  /** The end of a transaction changes the producer id. */
  | { readonly type: 'allocateForEnd'; readonly end: TransactionEnd; readonly cause: EndCause }

/**
 * A step that waits for its record to be durable, when `metadata` takes effect (null removes the
 * transactional id).
 */
export type AppendStep =
  | {
      readonly type: 'initialize' | 'add'
      readonly requestId: number
      readonly metadata: TransactionMetadata
    }
  /** The decision of an end, which is final once it is durable; its markers follow. */
  | { readonly type: 'prepare'; readonly cause: EndCause; readonly metadata: TransactionMetadata }
  /** The completion of an end: every partition has its marker. */
  | { readonly type: 'complete'; readonly metadata: TransactionMetadata }
  | { readonly type: 'remove'; readonly metadata: null }

/** A step in progress. The driver reports its result under `stepId`. */
export type Step = (AllocationStep | AppendStep) & { readonly stepId: number }

export interface Entry {
  readonly transactionalId: string
  /** The durable metadata; undefined until the first record is durable. */
  metadata: TransactionMetadata | undefined
  step: Step | undefined
  /** Partitions that still lack the marker of a decided end. */
  unmarked: PartitionSet
  markersUnderWay: boolean
}

export type KnownEntry = Entry & { readonly metadata: TransactionMetadata }

export function newEntry(
  transactionalId: string,
  metadata: TransactionMetadata | undefined,
): Entry {
  const unmarked = PartitionSet.empty
  return { transactionalId, metadata, step: undefined, unmarked, markersUnderWay: false }
}

/** Whether the id has durable metadata. */
export function isKnown(entry: Entry | undefined): entry is KnownEntry {
  return entry?.metadata !== undefined
}

/** Whether a step is in progress, or the markers of a decided end are being written. */
export function isBusy({ metadata, step }: Entry): boolean {
  return step !== undefined || (metadata !== undefined && isPreparing(metadata))
}
