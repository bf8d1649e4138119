// What the group state machine asks its shell to do. Requests that may have to wait (JoinGroup,
// SyncGroup, OffsetCommit) are known by a number; an outcome answers one of them, once.

import type { HeartbeatOutcome } from './consumer/heartbeatRequest.ts'
import type { Group } from './group.ts'
import type { GroupRecord } from './groupRecords.ts'

export interface JoinOutcome {
  readonly errorCode: number
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  /** The leader must not compute a new assignment (a static leader that came back: KIP-814). */
  readonly skipAssignment: boolean
  /** Everyone's subscriptions, for the leader; empty for the others. */
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

export type GroupEffect =
  | { readonly type: 'joined'; readonly requestId: number; readonly outcome: JoinOutcome }
  | { readonly type: 'synced'; readonly requestId: number; readonly outcome: SyncOutcome }
  | {
      readonly type: 'heartbeatAnswered'
      readonly requestId: number
      readonly outcome: HeartbeatOutcome
    }
  /** The group goes on as a classic one; `leftovers` take out of the log what it was. */
  | {
      readonly type: 'replaced'
      readonly group: Group
      readonly leftovers: readonly GroupRecord[]
    }
  /** Append these to the group's partition, then say so: with 0 when they are durable. */
  | {
      readonly type: 'write'
      readonly records: readonly GroupRecord[]
      readonly written: (nowMs: number, errorCode: number) => void
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
