// One generation of a classic group: its number and what its members agreed on, as answers to
// JoinGroup and SyncGroup and as the stored record. An immutable value; rebalance.ts decides when
// the next generation begins.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import { type JoinOutcome, noAssignment, type SyncOutcome } from '../groupOutcome.ts'
import type { GroupMetadataValue } from '../groupRecords.ts'
import { type GroupMember, metadataFor } from './groupMember.ts'
import type { MemberRoster } from './memberRoster.ts'

const lastGenerationId = 2 ** 31 - 1

export class Generation {
  readonly id: number
  /** 'consumer' for consumers; null before the first member. */
  readonly protocolType: string | null
  /** The assignor that all members support; null while the group is empty. */
  readonly protocolName: string | null

  constructor(id: number, protocolType: string | null, protocolName: string | null) {
    this.id = id
    this.protocolType = protocolType
    this.protocolName = protocolName
  }

  /** Returns the next generation, of the members in the roster. */
  next(protocolType: string | null, roster: MemberRoster): Generation {
    const id = this.id === lastGenerationId ? 0 : this.id + 1
    assert(id > this.id || id === 0, 'generation ids increase, except when they wrap around to 0')
    return new Generation(id, protocolType, roster.selectProtocol())
  }

  /**
   * Returns the answer to a member's JoinGroup. The leader gets the subscriptions of all members.
   */
  joinOutcome(member: GroupMember, roster: MemberRoster, withMembers: boolean): JoinOutcome {
    const members = withMembers ? [...roster.all()] : []
    return {
      errorCode: ErrorCode.none,
      memberId: member.memberId,
      generationId: this.id,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leader: roster.leader ?? '',
      skipAssignment: false,
      members: members.map((each) => ({
        memberId: each.memberId,
        groupInstanceId: each.groupInstanceId,
        metadata: metadataFor(each, this.protocolName),
      })),
    }
  }

  /**
   * Returns the answer to the JoinGroup of a static member that returned to a running generation
   * (KIP-814). A returning leader must not assign again, because no member waits for an assignment.
   * A client whose version lacks `skipAssignment` is answered that its former member id leads.
   */
  returnOutcome(
    member: GroupMember,
    roster: MemberRoster,
    previousLeader: string,
    supportsSkipping: boolean,
  ): JoinOutcome {
    const leads = roster.leader === member.memberId
    const outcome = this.joinOutcome(member, roster, leads && supportsSkipping)
    if (leads && supportsSkipping) return { ...outcome, skipAssignment: true }
    return leads ? { ...outcome, leader: previousLeader } : outcome
  }

  /** Returns the answer to a member's SyncGroup. */
  syncOutcome({ assignment }: GroupMember): SyncOutcome {
    const { protocolType, protocolName } = this
    return { errorCode: ErrorCode.none, protocolType, protocolName, assignment }
  }

  /** Returns the record to store. `assignments`, when given, replace those of the members. */
  record(
    roster: MemberRoster,
    assignments: ReadonlyMap<string, Buffer> | undefined,
  ): GroupMetadataValue {
    const assignmentOf = (member: GroupMember) =>
      assignments ? (assignments.get(member.memberId) ?? noAssignment) : member.assignment
    return {
      protocolType: this.protocolType ?? '',
      generation: this.id,
      protocol: this.protocolName,
      leader: roster.leader,
      currentStateTimestampMs: -1,
      members: [...roster.all()].map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: metadataFor(member, this.protocolName),
        assignment: assignmentOf(member),
      })),
    }
  }
}
