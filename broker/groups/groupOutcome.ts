// The answers of a group to its members, and its effects. All plain data: a request is named by its
// id, and the continuation of a write is a step that the group gets back.

import { type HeartbeatOutcome, refused } from './consumer/heartbeatRequest.ts'
import type { GroupMetadataValue, GroupRecord } from './groupRecords.ts'

export interface JoinOutcome {
  readonly errorCode: number
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  /**
   * Whether the leader must not compute a new assignment (a static leader that returned: KIP-814).
   */
  readonly skipAssignment: boolean
  /** The subscriptions of all members, for the leader; empty for the others. */
  readonly members: readonly JoinedMember[]
}

export interface JoinedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly metadata: Buffer
}

export interface SyncOutcome {
  readonly errorCode: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

/** The answer to one request. Every request is answered exactly once. */
export type GroupAnswer =
  | { readonly type: 'joined'; readonly requestId: number; readonly outcome: JoinOutcome }
  | { readonly type: 'synced'; readonly requestId: number; readonly outcome: SyncOutcome }
  | {
      readonly type: 'heartbeatAnswered'
      readonly requestId: number
      readonly outcome: HeartbeatOutcome
    }

/** The continuation of a write that is durable or has failed. */
export type GroupStep =
  /** The group is empty. No request depends on this record. */
  | { readonly type: 'emptied' }
  /** The leader's assignment for this generation. Pending SyncGroups depend on it. */
  | { readonly type: 'assigned'; readonly generationId: number }
  /**
   * A static member returned to a running generation. Its JoinGroup is answered with the new member
   * id.
   */
  | {
      readonly type: 'staticMemberReturned'
      readonly memberId: string
      readonly requestId: number
      readonly previousLeader: string
      readonly supportsSkipping: boolean
    }
  /** A write of a consumer group's journal. */
  | { readonly type: 'journaled'; readonly writeId: number }

export type GroupEffect =
  | GroupAnswer
  /** Append the records to the group's partition as one batch, then pass the step to `written`. */
  | { readonly type: 'write'; readonly records: readonly GroupRecord[]; readonly step: GroupStep }
  /**
   * The consumer group ends and continues as the classic group `value`. `leftovers` are the
   * tombstones of the consumer group.
   */
  | {
      readonly type: 'downgraded'
      readonly value: GroupMetadataValue
      readonly leftovers: readonly GroupRecord[]
    }

export const noAssignment = Buffer.alloc(0)

export function joinError(errorCode: number, memberId: string): JoinOutcome {
  return {
    errorCode,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  }
}

export function syncError(errorCode: number): SyncOutcome {
  return { errorCode, protocolType: null, protocolName: null, assignment: noAssignment }
}

/** Returns the answer in place of one that depended on a failed write. */
export function failedAnswer(answer: GroupAnswer, errorCode: number): GroupAnswer {
  const { requestId } = answer
  switch (answer.type) {
    case 'joined':
      return { type: 'joined', requestId, outcome: joinError(errorCode, answer.outcome.memberId) }
    case 'synced':
      return { type: 'synced', requestId, outcome: syncError(errorCode) }
    case 'heartbeatAnswered': {
      const outcome = refused({
        errorCode,
        message: 'The coordinator failed to write the change to its log.',
      })
      return { type: 'heartbeatAnswered', requestId, outcome }
    }
  }
}
