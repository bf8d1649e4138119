// One generation of a group: its number and what its members have agreed on. Puts that into the
// words of JoinGroup, of SyncGroup and of the stored record; when one begins is not decided here.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { type GroupMember, metadataFor } from './groupMember.ts'
import { type JoinOutcome, noAssignment, type SyncOutcome } from './groupOutcome.ts'
import type { GroupMetadataValue } from './groupRecords.ts'
import type { MemberRoster } from './memberRoster.ts'

const lastGenerationId = 2 ** 31 - 1

export class Generation {
  readonly id: number
  /** 'consumer' for consumers; null before the first member. */
  readonly protocolType: string | null
  /** The assignor that all members speak; null while nobody is in. */
  readonly protocolName: string | null

  constructor(id: number, protocolType: string | null, protocolName: string | null) {
    this.id = id
    this.protocolType = protocolType
    this.protocolName = protocolName
  }

  /** The one after this, for those who are in the roster. */
  next(protocolType: string | null, roster: MemberRoster): Generation {
    const id = this.id === lastGenerationId ? 0 : this.id + 1
    return new Generation(id, protocolType, roster.selectProtocol())
  }

  /** What JoinGroup tells a member; the leader gets everybody's subscription. */
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
   * What JoinGroup tells a static member that has come back into a running generation (KIP-814). A
   * leader must not assign again, as nobody waits for that: whose client cannot be told so is told
   * that its former self leads.
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

  /** What SyncGroup tells a member. */
  syncOutcome({ assignment }: GroupMember): SyncOutcome {
    const { protocolType, protocolName } = this
    return { errorCode: ErrorCode.none, protocolType, protocolName, assignment }
  }

  /** What is stored. `assignments` stand for those that the members have, where they are given. */
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
