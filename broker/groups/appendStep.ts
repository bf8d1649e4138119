// What a coordinator goes on with once an append is durable or has failed. Plain data, kept in the
// coordinator's state while the append is in flight: it can be printed, compared and saved.

import type { JournalWrite } from './consumer/recordJournal.ts'
import type { GroupStep } from './groupOutcome.ts'
import type { OffsetWrite } from './offsets/groupOffsets.ts'

/** What follows offsets, or their tombstones. */
export type OffsetsContinuation =
  /**
   * Answer the request: `errorCodes` of what was refused at once, 0 for what the append decides.
   */
  | {
      readonly type: 'answer'
      readonly requestId: number
      readonly errorCodes: readonly number[]
    }
  /** Remove the group itself, and answer the request, if there is one. */
  | { readonly type: 'removeGroup'; readonly requestId: number | undefined }
  | { readonly type: 'nothing' }

export type AppendStep =
  /** Records of a group. `incarnation` says which of the groups that had this id goes on. */
  | {
      readonly type: 'group'
      readonly incarnation: number
      readonly leftoversId: number
      readonly step: GroupStep
    }
  /** Only the leftovers of a former consumer group. */
  | { readonly type: 'leftovers'; readonly leftoversId: number }
  /** The tombstones of a group. */
  | {
      readonly type: 'groupRemoved'
      readonly leftoversId: number
      readonly requestId: number | undefined
    }
  /** Offsets, or their tombstones: alone, or as one of the appends of an operation. */
  | {
      readonly type: 'offsets'
      readonly next:
        | OffsetsContinuation
        | { readonly type: 'operation'; readonly operationId: number }
    }

/** An append in flight. */
export interface PendingAppend {
  readonly appendId: number
  readonly groupId: string
  readonly step: AppendStep
  /** The offsets in flight; undefined for other records. */
  readonly offsets: OffsetWrite | undefined
}

/** Several appends with one continuation. */
export interface PendingOperation {
  readonly operationId: number
  /** How many of the appends are in flight. */
  open: number
  /** The last error of an append; 0 when there was none. */
  errorCode: number
  readonly next: OffsetsContinuation
}

/** Everything that a coordinator waits for. */
export interface PendingWork {
  readonly appends: readonly PendingAppend[]
  readonly operations: readonly PendingOperation[]
  /** Writes of consumer groups, with what they will be answered. */
  readonly writes: readonly JournalWrite[]
}
