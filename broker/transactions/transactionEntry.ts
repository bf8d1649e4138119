// One transactional id in the coordinator's memory: what is durable of it, and what is under way.

import { PartitionSet } from './partitionSet.ts'
import { isPreparing, type TransactionMetadata } from './transactionMetadata.ts'

/** What is being made durable. */
export type Step = 'initialize' | 'add' | 'end' | 'remove'

export interface Entry {
  readonly transactionalId: string
  /** What is durable; undefined until the first record is. */
  metadata: TransactionMetadata | undefined
  step: Step | undefined
  /** Where the markers of a decided end are still missing. */
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

/** Not one whose first record is still on its way. */
export function isKnown(entry: Entry | undefined): entry is KnownEntry {
  return entry?.metadata !== undefined
}

/** A step is being made durable, or the markers of a decided end are being written. */
export function isBusy({ metadata, step }: Entry): boolean {
  return step !== undefined || (metadata !== undefined && isPreparing(metadata))
}
