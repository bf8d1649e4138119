// Whether a JoinGroup is admitted, whoever sends it: a group has a maximum size, members must
// support a common protocol, and their metadata takes memory. A pure function.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { JoinRequest } from '../groupRequests.ts'
import type { MemberRoster } from './memberRoster.ts'

export interface JoinedGroup {
  readonly roster: MemberRoster
  readonly protocolType: string | null
  /** A rebalance is being prepared: known members have to join again. */
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
 * During a rebalance, members that wait to join count, instead of known members: after the maximum
 * size was lowered, the last members to join again lose their place.
 */
function hasPlaceFor({ roster, isPreparing, maxSize }: JoinedGroup, memberId: string): boolean {
  const member = roster.get(memberId)
  if (isPreparing) return member?.joinRequest !== undefined || roster.waitingToJoin < maxSize
  return member !== undefined || roster.size < maxSize
}
