// The effects of a classic group, collected in order until `takeEffects`. A member waits with at
// most one JoinGroup and one SyncGroup, and each is answered exactly once.

import {
  type GroupEffect,
  type GroupStep,
  type JoinOutcome,
  joinError,
  type SyncOutcome,
  syncError,
} from '../groupOutcome.ts'
import type { GroupRecord } from '../groupRecords.ts'
import type { GroupMember } from './groupMember.ts'

export class GroupOutbox {
  #effects: GroupEffect[] = []

  takeEffects(): GroupEffect[] {
    const effects = this.#effects
    if (effects.length > 0) this.#effects = []
    return effects
  }

  joined(requestId: number, outcome: JoinOutcome): void {
    this.#effects.push({ type: 'joined', requestId, outcome })
  }

  synced(requestId: number, outcome: SyncOutcome): void {
    this.#effects.push({ type: 'synced', requestId, outcome })
  }

  write(records: readonly GroupRecord[], step: GroupStep): void {
    this.#effects.push({ type: 'write', records, step })
  }

  /** Answers the member's pending JoinGroup, if any. */
  join(member: GroupMember, outcome: JoinOutcome): void {
    if (member.joinRequest === undefined) return
    this.joined(member.joinRequest, outcome)
    member.joinRequest = undefined
  }

  /** Answers the member's pending SyncGroup, if any. */
  sync(member: GroupMember, outcome: SyncOutcome): void {
    if (member.syncRequest === undefined) return
    this.synced(member.syncRequest, outcome)
    member.syncRequest = undefined
  }

  /** Refuses the member's pending requests. */
  refuse(member: GroupMember, errorCode: number): void {
    this.join(member, joinError(errorCode, member.memberId))
    this.sync(member, syncError(errorCode))
  }
}
