// The continuation of an append: what the coordinator does once the append is durable or has
// failed. Plain data, kept in the coordinator's state while the append is in flight, so that the
// state can be printed, compared and saved. Must never hold a function or a promise.

import type { JournalWrite } from './consumer/recordJournal.ts'
import type { GroupStep } from './groupOutcome.ts'
import type { OffsetWrite } from './offsets/groupOffsets.ts'

/** The continuation of an append of offsets or of their tombstones. */
export type OffsetsContinuation =
  /**
   * Answers the request. `errorCodes` holds the error of each refused item, and 0 for each item
   * whose outcome is that of the append.
   */
  | {
      readonly type: 'answer'
      readonly requestId: number
      readonly errorCodes: readonly number[]
    }
  /** Removes the group itself, and answers the request, if there is one. */
  | { readonly type: 'removeGroup'; readonly requestId: number | undefined }
  | { readonly type: 'nothing' }

export type AppendStep =
  /**
   * Records of the group itself. `incarnation` names the group that wrote them, among all groups
   * that have had this id.
   */
  | {
      readonly type: 'group'
      readonly incarnation: number
      readonly leftoversId: number
      readonly step: GroupStep
    }
  /** Only the leftover tombstones of a former consumer group. */
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

/** An operation of several appends with one continuation. */
export interface PendingOperation {
  readonly operationId: number
  /** Number of appends in flight. */
  open: number
  /** Error code of the last append that failed; 0 when none has. */
  errorCode: number
  readonly next: OffsetsContinuation
}

/** All work that a coordinator has in flight. */
export interface PendingWork {
  readonly appends: readonly PendingAppend[]
  readonly operations: readonly PendingOperation[]
  /** Writes of consumer groups, with the answers that depend on them. */
  readonly writes: readonly JournalWrite[]
}
