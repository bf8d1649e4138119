// One member of a classic group: a record that the rebalance changes in place. Decides nothing.

import { noAssignment } from '../groupOutcome.ts'
import type { GroupMetadataValue } from '../groupRecords.ts'
import type { JoinRequest, MemberProtocol } from '../groupRequests.ts'

export interface GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  /** In the member's order of preference. */
  protocols: readonly MemberProtocol[]
  assignment: Buffer
  /**
   * The assignment before, which the member may still use: it has not asked for the new one yet.
   */
  formerAssignment: Buffer
  /** The JoinGroup that waits for the others. */
  joinRequest: number | undefined
  /** The SyncGroup that waits for the leader. */
  syncRequest: number | undefined
  /** When its session ends, in monotonic milliseconds; Infinity while it waits for an answer. */
  sessionDeadlineMs: number
  /** The member has not been part of a generation yet. */
  isNew: boolean
}

/** The leader's assignment is durable; the member gets it with its SyncGroup. */
export function assign(member: GroupMember, assignment: Buffer): void {
  if (member.formerAssignment.length === 0) member.formerAssignment = member.assignment
  member.assignment = assignment
}

/** Whether a member that joins again has the same protocols as before. */
export function sameProtocols(a: readonly MemberProtocol[], b: readonly MemberProtocol[]): boolean {
  if (a.length !== b.length) return false
  return a.every(({ name, metadata }, index) => {
    const other = b[index]!
    return name === other.name && metadata.equals(other.metadata)
  })
}

/** The member's metadata for one protocol. */
export function metadataFor(member: GroupMember, protocolName: string | null): Buffer {
  const protocol = member.protocols.find(({ name }) => name === protocolName)
  return protocol?.metadata ?? Buffer.alloc(0)
}

export function newMember(memberId: string, request: JoinRequest): GroupMember {
  const { groupInstanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs } = request
  return {
    memberId,
    groupInstanceId,
    clientId,
    clientHost,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols: owned(request.protocols),
    assignment: noAssignment,
    formerAssignment: noAssignment,
    joinRequest: undefined,
    syncRequest: undefined,
    sessionDeadlineMs: Number.POSITIVE_INFINITY,
    isNew: true,
  }
}

/** Takes over the metadata of a member that joins again. */
export function updateMember(member: GroupMember, request: JoinRequest): void {
  member.clientId = request.clientId
  member.clientHost = request.clientHost
  member.sessionTimeoutMs = request.sessionTimeoutMs
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
  member.protocols = owned(request.protocols)
}

/** The request's buffer is a chunk of the connection: what a group keeps is copied out of it. */
function owned(protocols: readonly MemberProtocol[]): MemberProtocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
}

/** A member as it was stored: its session starts anew. */
export function restoredMember(
  stored: GroupMetadataValue['members'][number],
  protocolName: string | null,
  nowMs: number,
): GroupMember {
  return {
    memberId: stored.memberId,
    groupInstanceId: stored.groupInstanceId,
    clientId: stored.clientId,
    clientHost: stored.clientHost,
    sessionTimeoutMs: stored.sessionTimeout,
    rebalanceTimeoutMs: stored.rebalanceTimeout,
    protocols: [{ name: protocolName ?? '', metadata: stored.subscription }],
    assignment: stored.assignment,
    formerAssignment: noAssignment,
    joinRequest: undefined,
    syncRequest: undefined,
    sessionDeadlineMs: nowMs + stored.sessionTimeout,
    isNew: false,
  }
}
