// One transactional id in the coordinator's memory: its durable metadata and the step under way. A
// step is plain data that says what happens once the driver has done what the step waits for.

import { PartitionSet } from './partitionSet.ts'
import {
  isPreparing,
  type TransactionEnd,
  type TransactionMetadata,
} from './transactionMetadata.ts'

/** Why a transaction is being ended, and so who is answered. */
export type EndCause =
  | { readonly by: 'endTxn'; readonly requestId: number }
  /**
   * A new producer fences the one before. It is answered CONCURRENT_TRANSACTIONS, and asks again.
   */
  | { readonly by: 'initProducerId'; readonly requestId: number }
  | { readonly by: 'timeout' }

/** Waits for a producer id that was never given out. */
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
 * Waits for a record to be durable: then `metadata` holds (null: the transactional id is
 * forgotten).
 */
export type AppendStep =
  | {
      readonly type: 'initialize' | 'add'
      readonly requestId: number
      readonly metadata: TransactionMetadata
    }
  /** How the transaction ends is decided once this is durable; its markers follow. */
  | { readonly type: 'prepare'; readonly cause: EndCause; readonly metadata: TransactionMetadata }
  /** Every partition has its marker. */
  | { readonly type: 'complete'; readonly metadata: TransactionMetadata }
  | { readonly type: 'remove'; readonly metadata: null }

/** `stepId` is the number under which the driver reports that the step can go on. */
export type Step = (AllocationStep | AppendStep) & { readonly stepId: number }

export interface Entry {
  readonly transactionalId: string
  /** What is durable; undefined until the first record is. */
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

/** False for an id whose first record is not durable yet. */
export function isKnown(entry: Entry | undefined): entry is KnownEntry {
  return entry?.metadata !== undefined
}

/** A step is under way, or the markers of a decided end are being written. */
export function isBusy({ metadata, step }: Entry): boolean {
  return step !== undefined || (metadata !== undefined && isPreparing(metadata))
}
