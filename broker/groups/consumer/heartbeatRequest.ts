// Requests and answers of ConsumerGroupHeartbeat, and the validation that does not depend on the
// group.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { compilePattern, PatternError } from '../../re2Pattern.ts'
import { type AssignorName, isAssignorName } from './assignor.ts'
import {
  bytesOf,
  type ConsumerGroupMember,
  joinEpoch,
  leaveEpoch,
  leaveStaticEpoch,
  topicNames,
} from './consumerGroupMember.ts'
import type { TopicPartitions } from './topicPartitions.ts'

/** A heartbeat. A field that is null (-1 for the timeout) is unchanged since the last heartbeat. */
export interface HeartbeatRequest {
  readonly memberId: string
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly rebalanceTimeoutMs: number
  readonly clientId: string
  readonly clientHost: string
  readonly subscribedTopicNames: readonly string[] | null
  readonly subscribedTopicRegex: string | null
  readonly serverAssignor: string | null
  /** Partitions that the member owns; null when it does not report them. */
  readonly owned: TopicPartitions | null
  /** Whether the member must bring its own id, as from version 1 on. */
  readonly requireMemberId: boolean
}

export interface HeartbeatOutcome {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly memberId: string | null
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** The assignment of the member; null when it is unchanged. */
  readonly assignment: TopicPartitions | null
}

/** Why a request is refused. The message is for the operators of the client. */
export interface Refusal {
  readonly errorCode: number
  readonly message: string
}

export function refused({ errorCode, message }: Refusal): HeartbeatOutcome {
  return {
    errorCode,
    errorMessage: message,
    memberId: null,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    assignment: null,
  }
}

export function isLeaving({ memberEpoch }: HeartbeatRequest): boolean {
  return memberEpoch === leaveEpoch || memberEpoch === leaveStaticEpoch
}

/** Whether the heartbeat sets every field. A full heartbeat gets a full answer. */
export function isFull(request: HeartbeatRequest): boolean {
  if (request.memberEpoch === joinEpoch) return true
  const { rebalanceTimeoutMs, subscribedTopicNames, owned } = request
  return rebalanceTimeoutMs !== -1 && subscribedTopicNames !== null && owned !== null
}

/** Returns the approximate memory that the request adds, in bytes. */
export function bytesOfRequest(request: HeartbeatRequest): number {
  const { subscribedTopicNames, subscribedTopicRegex } = request
  if (subscribedTopicNames === null && subscribedTopicRegex === null) return 0
  const classic = null
  return bytesOf({
    subscribedTopicNames: subscribedTopicNames ?? [],
    subscribedTopicRegex,
    classic,
  })
}

export function groupIsFull(maxSize: number): Refusal {
  return {
    errorCode: ErrorCode.groupMaxSizeReached,
    message: `The consumer group has reached its maximum capacity of ${maxSize} members.`,
  }
}

/**
 * Returns the member after a heartbeat. Fields that the heartbeat does not set keep their values.
 */
export function updatedBy(
  before: ConsumerGroupMember,
  request: HeartbeatRequest,
): ConsumerGroupMember {
  const { subscribedTopicNames } = request
  return {
    ...before,
    instanceId: request.instanceId ?? before.instanceId,
    rackId: request.rackId ?? before.rackId,
    rebalanceTimeoutMs:
      request.rebalanceTimeoutMs === -1 ? before.rebalanceTimeoutMs : request.rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? before.serverAssignor,
    subscribedTopicNames: subscribedTopicNames
      ? topicNames(subscribedTopicNames)
      : before.subscribedTopicNames,
    subscribedTopicRegex: request.subscribedTopicRegex ?? before.subscribedTopicRegex,
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: null,
  }
}

/** Returns why the request is invalid, for any group; undefined when it is valid. */
export function checkRequest(
  groupId: string,
  request: HeartbeatRequest,
  assignors: readonly AssignorName[],
): Refusal | undefined {
  const { memberId, memberEpoch, instanceId, rackId, serverAssignor } = request
  const needsMemberId = request.requireMemberId || memberEpoch > 0 || memberEpoch === leaveEpoch
  if (needsMemberId && memberId === '') return invalid("MemberId can't be empty.")
  if (groupId === '') return invalid("GroupId can't be empty.")
  if (instanceId === '') return invalid("InstanceId can't be empty.")
  if (rackId === '') return invalid("RackId can't be empty.")
  if (memberEpoch < leaveStaticEpoch) return invalid('MemberEpoch is invalid.')
  if (memberEpoch === leaveStaticEpoch && instanceId === null) {
    return invalid("InstanceId can't be null.")
  }
  const refusal = memberEpoch === joinEpoch ? checkJoin(request) : undefined
  return refusal ?? checkAssignor(serverAssignor, assignors) ?? checkPattern(request)
}

function checkJoin(request: HeartbeatRequest): Refusal | undefined {
  if (request.rebalanceTimeoutMs === -1) {
    return invalid('RebalanceTimeoutMs must be provided in first request.')
  }
  if (request.owned === null || request.owned.size > 0) {
    return invalid('TopicPartitions must be empty when (re-)joining.')
  }
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
    return invalid(
      'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.',
    )
  }
  return undefined
}

function checkAssignor(
  name: string | null,
  assignors: readonly AssignorName[],
): Refusal | undefined {
  if (name === null || (isAssignorName(name) && assignors.includes(name))) return undefined
  return {
    errorCode: ErrorCode.unsupportedAssignor,
    message: `ServerAssignor ${name} is not supported. Supported assignors: ${assignors.join(', ')}.`,
  }
}

function checkPattern({ subscribedTopicRegex }: HeartbeatRequest): Refusal | undefined {
  if (!subscribedTopicRegex) return undefined
  const pattern = compilePattern(subscribedTopicRegex)
  if (!(pattern instanceof PatternError)) return undefined
  return {
    errorCode: ErrorCode.invalidRegularExpression,
    message: `SubscribedTopicRegex \`${subscribedTopicRegex}\` is not a valid regular expression: ${pattern.message}.`,
  }
}

function invalid(message: string): Refusal {
  return { errorCode: ErrorCode.invalidRequest, message }
}
