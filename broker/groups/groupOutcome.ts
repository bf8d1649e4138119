// What a group answers its members, and what it asks of the registry. Plain data throughout: a
// request is known by its number, and what goes on after a write is a named step that the group is
// handed back.

import { type HeartbeatOutcome, refused } from './consumer/heartbeatRequest.ts'
import type { GroupMetadataValue, GroupRecord } from './groupRecords.ts'

export interface JoinOutcome {
  readonly errorCode: number
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  /** The leader must not compute a new assignment (a static leader that came back: KIP-814). */
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

/** Answers one request, once. */
export type GroupAnswer =
  | { readonly type: 'joined'; readonly requestId: number; readonly outcome: JoinOutcome }
  | { readonly type: 'synced'; readonly requestId: number; readonly outcome: SyncOutcome }
  | {
      readonly type: 'heartbeatAnswered'
      readonly requestId: number
      readonly outcome: HeartbeatOutcome
    }

/** What goes on once a write is durable, or has failed. */
export type GroupStep =
  /** The group is empty; nobody waits for that to be durable. */
  | { readonly type: 'emptied' }
  /** The leader's assignment for this generation. */
  | { readonly type: 'assigned'; readonly generationId: number }
  /**
   * A static member came back into a running generation, and waits to be told its new member id.
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
  /** Append the records to the group's partition as one batch, then hand the step back. */
  | { readonly type: 'write'; readonly records: readonly GroupRecord[]; readonly step: GroupStep }
  /**
   * The consumer group ends, and goes on as the classic group `value`. `leftovers` take the
   * consumer group out of the log.
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

/** The answer in place of one that rests on a write that failed. */
export function failedAnswer(answer: GroupAnswer, errorCode: number): GroupAnswer {
  const { requestId } = answer
  switch (answer.type) {
    case 'joined':
      return { type: 'joined', requestId, outcome: joinError(errorCode, answer.outcome.memberId) }
    case 'synced':
      return { type: 'synced', requestId, outcome: syncError(errorCode) }
    case 'heartbeatAnswered': {
      const outcome = refused({ errorCode, message: 'The group could not be written.' })
      return { type: 'heartbeatAnswered', requestId, outcome }
    }
  }
}
