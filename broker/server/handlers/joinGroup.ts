// JoinGroup: a classic member asks to be part of its group's next generation. Answered when that
// generation begins.

import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { handler } from '../request/handler.ts'

/** First version in which members get their id before they join (KIP-394). */
const knownMemberIdVersion = 4
/** First version in which the protocol name may be null. */
const nullableProtocolVersion = 7
/** First version in which a static leader can be asked to skip the assignment (KIP-814). */
const skipAssignmentVersion = 9

export const joinGroupHandler = handler(joinGroup, async (request, context) => {
  const { apiVersion, clientId, clientHost, broker } = context
  const outcome = await broker.groups.join(request.groupId, {
    memberId: request.memberId,
    groupInstanceId: request.groupInstanceId,
    clientId,
    clientHost,
    sessionTimeoutMs: request.sessionTimeoutMs,
    // Version 0 has one timeout for session and rebalance.
    rebalanceTimeoutMs:
      request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    protocolType: request.protocolType,
    protocols: request.protocols,
    requireKnownMemberId: apiVersion >= knownMemberIdVersion,
    supportsSkippingAssignment: apiVersion >= skipAssignmentVersion,
  })
  if (apiVersion >= nullableProtocolVersion) return outcome
  return { ...outcome, protocolType: null, protocolName: outcome.protocolName ?? '' }
})
