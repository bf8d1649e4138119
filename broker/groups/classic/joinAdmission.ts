// Decides whether a group can take a JoinGroup, independent of its sender: a group has a maximum
// size, members must support a common protocol, and their metadata takes memory. A pure function.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { JoinRequest } from '../groupRequests.ts'
import type { MemberRoster } from './memberRoster.ts'

export interface JoinedGroup {
  readonly roster: MemberRoster
  readonly protocolType: string | null
  /** Whether the group is in PreparingRebalance: known members have to rejoin. */
  readonly isPreparing: boolean
  readonly maxSize: number
}

/** Returns 0, or the error code with which the request is refused. */
export function admitJoin(group: JoinedGroup, request: JoinRequest): number {
  if (!hasPlaceFor(group, request.memberId)) return ErrorCode.groupMaxSizeReached
  const { roster, protocolType } = group
  if (!roster.canAfford(request.memberId, request.protocols)) return ErrorCode.groupMaxSizeReached
  const names = request.protocols.map(({ name }) => name)
  const agrees =
    roster.size === 0
      ? request.protocolType !== '' && names.length > 0
      : request.protocolType === protocolType && roster.supportsAny(names)
  return agrees ? ErrorCode.none : ErrorCode.inconsistentGroupProtocol
}

/**
 * Whether there is a place for the member. During a rebalance the members that have rejoined count,
 * instead of the known members: after the maximum size was lowered, the last members to rejoin lose
 * their places.
 */
function hasPlaceFor({ roster, isPreparing, maxSize }: JoinedGroup, memberId: string): boolean {
  const member = roster.get(memberId)
  if (isPreparing) return member?.joinRequest !== undefined || roster.waitingToJoin < maxSize
  return member !== undefined || roster.size < maxSize
}
