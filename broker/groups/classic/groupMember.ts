// One member of a classic group: plain data that the rebalance changes in place. Decides nothing.

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
   * The previous assignment. The member may still consume it, because it has not fetched the new
   * assignment yet.
   */
  formerAssignment: Buffer
  /** Request id of the JoinGroup that waits for the other members. */
  joinRequest: number | undefined
  /** Request id of the SyncGroup that waits for the leader's assignment. */
  syncRequest: number | undefined
  /** When the session expires, in monotonic ms; Infinity while the member waits for an answer. */
  sessionDeadlineMs: number
  /** Whether the member has not been part of any generation yet. */
  isNew: boolean
}

/** Sets the assignment of a member, once the leader's assignment is durable. */
export function assign(member: GroupMember, assignment: Buffer): void {
  if (member.formerAssignment.length === 0) member.formerAssignment = member.assignment
  member.assignment = assignment
}

/** Whether a member rejoins with the same protocols and metadata as before. */
export function sameProtocols(a: readonly MemberProtocol[], b: readonly MemberProtocol[]): boolean {
  if (a.length !== b.length) return false
  return a.every(({ name, metadata }, index) => {
    const other = b[index]!
    return name === other.name && metadata.equals(other.metadata)
  })
}

/** Returns the member's metadata for one protocol. */
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

/** Replaces the metadata of a member that rejoins. */
export function updateMember(member: GroupMember, request: JoinRequest): void {
  member.clientId = request.clientId
  member.clientHost = request.clientHost
  member.sessionTimeoutMs = request.sessionTimeoutMs
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
  member.protocols = owned(request.protocols)
}

/**
 * Copies the metadata: the request's buffer is a chunk of the connection, and the group outlives
 * it.
 */
function owned(protocols: readonly MemberProtocol[]): MemberProtocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
}

/** Restores a member from its record. Its session starts anew. */
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
