// Whether a JoinGroup is let in at all, before it is looked at who asks: a group has a size, members
// have to speak a common protocol, and what they say of themselves takes memory. Changes nothing.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { JoinRequest } from './groupRequests.ts'
import type { MemberRoster } from './memberRoster.ts'

export interface JoinedGroup {
  readonly roster: MemberRoster
  readonly protocolType: string | null
  /** Members are joining, those of before have to join again. */
  readonly isPreparing: boolean
  readonly maxSize: number
}

/** 0, or the error with which the request is refused. */
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
 * While members join, those who wait count, not those who are known: after the size has been lowered,
 * the last to join again are the ones who go.
 */
function hasPlaceFor({ roster, isPreparing, maxSize }: JoinedGroup, memberId: string): boolean {
  const member = roster.get(memberId)
  if (isPreparing) return member?.joinRequest !== undefined || roster.waitingToJoin < maxSize
  return member !== undefined || roster.size < maxSize
}
