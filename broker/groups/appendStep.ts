// What a coordinator goes on with once an append is durable or has failed. Plain data, kept in the coordinator's
// state while the append is in flight: it can be printed, compared and saved.

import type { GroupStep } from './groupOutcome.ts'

/** What follows offsets, or their tombstones. */
export type OffsetsContinuation =
  /** Answer the request: `errorCodes` of what was refused at once, 0 for what the append decides. */
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
}
