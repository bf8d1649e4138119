// The answers to JoinGroup and SyncGroup that a classic group gives, among its other effects. A
// member waits with at most one request of each kind, which is answered once.

import type { GroupMember } from './groupMember.ts'
import {
  type GroupEffect,
  type JoinOutcome,
  joinError,
  type SyncOutcome,
  syncError,
} from './groupOutcome.ts'

export class MemberAnswers {
  readonly #effects: GroupEffect[]

  constructor(effects: GroupEffect[]) {
    this.#effects = effects
  }

  joined(requestId: number, outcome: JoinOutcome): void {
    this.#effects.push({ type: 'joined', requestId, outcome })
  }

  synced(requestId: number, outcome: SyncOutcome): void {
    this.#effects.push({ type: 'synced', requestId, outcome })
  }

  /** Answers the member's JoinGroup, if it waits with one. */
  join(member: GroupMember, outcome: JoinOutcome): void {
    if (member.joinRequest === undefined) return
    this.joined(member.joinRequest, outcome)
    member.joinRequest = undefined
  }

  /** Answers the member's SyncGroup, if it waits with one. */
  sync(member: GroupMember, outcome: SyncOutcome): void {
    if (member.syncRequest === undefined) return
    this.synced(member.syncRequest, outcome)
    member.syncRequest = undefined
  }

  /** Sends the member away, whatever it waits for. */
  refuse(member: GroupMember, errorCode: number): void {
    this.join(member, joinError(errorCode, member.memberId))
    this.sync(member, syncError(errorCode))
  }
}
