// Translates every failure into an error of the REST API: errors of the cluster (KafkaError), the
// network, the client and the HTTP server. A 5xx is a failure of the cluster or of this server,
// never of the request. An unexpected failure becomes INTERNAL; its message and stack must never
// reach the client, only the log.

import { ClientError, type ClientErrorCode } from '../../../protocol/client/clientError.ts'
import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import { HttpRefusal } from '../../../protocol/operations/httpRefusal.ts'
import { NetworkError } from '../../../protocol/runtime/network/network.ts'
import { RestError } from './restError.ts'

export function restErrorOf(failure: unknown): RestError {
  if (failure instanceof RestError) return failure
  if (failure instanceof KafkaError) return ofKafka(failure)
  if (failure instanceof NetworkError) return unreachable(failure)
  if (failure instanceof ClientError) return ofClient(failure)
  if (failure instanceof HttpRefusal) return ofRefusal(failure)
  return ofServer(failure) ?? internal(failure)
}

export function internal(cause: unknown): RestError {
  return new RestError(
    500,
    'INTERNAL',
    'the server failed to answer this request',
    "search the server's log for the request id; if the error persists, report it with that log line",
    cause,
  )
}

interface Meaning {
  readonly errorCode: number
  readonly action: string
}

const unknownName: Meaning = {
  errorCode: 40403,
  action: 'check the name: GET /api/v1/topics and GET /api/v1/groups list the existing ones',
}
const refused: Meaning = {
  errorCode: 40002,
  action: 'correct the request: the message says what the cluster rejected',
}
const unsupported: Meaning = {
  errorCode: 40002,
  action: 'the cluster does not support this request: upgrade the brokers',
}
const conflict: Meaning = {
  errorCode: 409,
  action: 'read the current state, then retry',
}
const groupInUse: Meaning = {
  errorCode: 409,
  action: 'stop the members of the group first: GET /api/v1/groups/{group} lists them',
}
const forbidden: Meaning = {
  errorCode: 40301,
  action: 'grant the operation to the principal of this server in the ACLs of the cluster',
}
const tooLarge: Meaning = {
  errorCode: 413,
  action: 'send less, or raise max.message.bytes of the topic',
}
const goneOffset: Meaning = {
  errorCode: 40404,
  action: 'choose an offset between the log start and the end: GET /api/v1/topics/{topic} has both',
}
const throttled: Meaning = { errorCode: 429, action: 'wait, then retry' }
const timedOut: Meaning = {
  errorCode: 504,
  action: 'check whether the change was applied, then retry',
}
const passing: Meaning = {
  errorCode: 50301,
  action: 'retry: the cluster is electing a leader or a coordinator, or is starting',
}
const storage: Meaning = {
  errorCode: 50302,
  action: 'check the disks and the log of the broker',
}
const clusterFailed: Meaning = {
  errorCode: 50002,
  action: 'check the log of the broker for the cause',
}

const meanings: ReadonlyMap<number, Meaning> = new Map([
  ...meaning(unknownName, [
    ErrorCode.unknownTopicOrPartition,
    ErrorCode.unknownTopicId,
    ErrorCode.groupIdNotFound,
    ErrorCode.resourceNotFound,
    ErrorCode.transactionalIdNotFound,
    ErrorCode.logDirNotFound,
    ErrorCode.brokerIdNotRegistered,
  ]),
  ...meaning(refused, [
    ErrorCode.topicAlreadyExists,
    ErrorCode.invalidTopicException,
    ErrorCode.invalidPartitions,
    ErrorCode.invalidReplicationFactor,
    ErrorCode.invalidReplicaAssignment,
    ErrorCode.invalidConfig,
    ErrorCode.invalidRequest,
    ErrorCode.invalidGroupId,
    ErrorCode.invalidTimestamp,
    ErrorCode.invalidRecord,
    ErrorCode.invalidRequiredAcks,
    ErrorCode.policyViolation,
    ErrorCode.duplicateResource,
    ErrorCode.offsetMetadataTooLarge,
    ErrorCode.inconsistentGroupProtocol,
  ]),
  ...meaning(unsupported, [
    ErrorCode.unsupportedVersion,
    ErrorCode.unsupportedForMessageFormat,
    ErrorCode.unsupportedCompressionType,
    ErrorCode.securityDisabled,
  ]),
  ...meaning(conflict, [
    ErrorCode.reassignmentInProgress,
    ErrorCode.noReassignmentInProgress,
    ErrorCode.concurrentTransactions,
    ErrorCode.inconsistentTopicId,
    ErrorCode.operationNotAttempted,
  ]),
  ...meaning(groupInUse, [
    ErrorCode.nonEmptyGroup,
    ErrorCode.groupSubscribedToTopic,
    ErrorCode.unknownMemberId,
    ErrorCode.illegalGeneration,
    ErrorCode.rebalanceInProgress,
    ErrorCode.fencedInstanceId,
    ErrorCode.fencedMemberEpoch,
    ErrorCode.staleMemberEpoch,
  ]),
  ...meaning(forbidden, [
    ErrorCode.topicAuthorizationFailed,
    ErrorCode.groupAuthorizationFailed,
    ErrorCode.clusterAuthorizationFailed,
    ErrorCode.transactionalIdAuthorizationFailed,
    ErrorCode.saslAuthenticationFailed,
    ErrorCode.topicDeletionDisabled,
  ]),
  ...meaning(tooLarge, [ErrorCode.messageTooLarge, ErrorCode.recordListTooLarge]),
  ...meaning(goneOffset, [ErrorCode.offsetOutOfRange]),
  ...meaning(throttled, [ErrorCode.throttlingQuotaExceeded]),
  ...meaning(timedOut, [ErrorCode.requestTimedOut]),
  ...meaning(storage, [ErrorCode.kafkaStorageError]),
])

function meaning(of: Meaning, codes: readonly number[]): (readonly [number, Meaning])[] {
  return codes.map((code) => [code, of])
}

/**
 * Returns the error for a broker's error code; also for the result of a single topic or partition.
 */
export function kafkaFailure(errorCode: number, detail?: string | null): RestError {
  return ofKafka(new KafkaError(errorCode, detail ?? undefined))
}

function ofKafka(failure: KafkaError): RestError {
  const otherwise = failure.isRetriable ? passing : clusterFailed
  const { errorCode, action } = meanings.get(failure.errorCode) ?? otherwise
  const isPassing = errorCode === throttled.errorCode || errorCode === passing.errorCode
  const retryAfterSeconds = isPassing ? 1 : undefined
  return new RestError(errorCode, failure.code, failure.message, action, failure, retryAfterSeconds)
}

function unreachable(failure: NetworkError): RestError {
  return new RestError(
    503,
    'CLUSTER_UNREACHABLE',
    failure.message,
    'start the brokers, or check the bootstrap address; the server reconnects by itself',
    failure,
    1,
  )
}

const ofClientCodes: Record<ClientErrorCode, Meaning> = {
  CLIENT_CLOSED: { errorCode: 503, action: 'retry after the server has restarted' },
  CONSUMER_BUSY: {
    errorCode: 50002,
    action: 'report this bug: the server read from one consumer concurrently',
  },
  TOO_MANY_REQUESTS: {
    errorCode: 503,
    action: 'retry: too many requests are waiting for the broker',
  },
  NO_COMMON_VERSION: unsupported,
  MALFORMED_RESPONSE: {
    errorCode: 50002,
    action: 'check that the bootstrap address belongs to a Kafka broker',
  },
  DELIVERY_TIMEOUT: timedOut,
  TOPIC_RECREATED: conflict,
  RECORD_TOO_LARGE: tooLarge,
}

function ofClient(failure: ClientError): RestError {
  const { errorCode, action } = ofClientCodes[failure.code]
  return new RestError(errorCode, failure.code, failure.message, action, failure)
}

function ofRefusal({ status, code, message }: HttpRefusal): RestError {
  const action =
    "send the request from this machine, with a program or from this server's page at /api"
  return new RestError(status, code, message, action)
}

/** Translates failures of the HTTP server by their codes; undefined for any other failure. */
function ofServer(failure: unknown): RestError | undefined {
  const { code, statusCode, message } = failure as {
    readonly code?: unknown
    readonly statusCode?: unknown
    readonly message?: unknown
  }
  const text = String(message)
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new RestError(
        415,
        'UNSUPPORTED_MEDIA_TYPE',
        text,
        'send JSON, with the header content-type: application/json',
      )
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new RestError(413, 'BODY_TOO_LARGE', text, 'send a smaller body')
    case 'FST_ERR_HANDLER_TIMEOUT':
      return new RestError(504, 'TIMEOUT', 'the cluster did not answer in time', timedOut.action)
  }
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined
  const action = 'correct the request: the OpenAPI document at /openapi.json describes it'
  return new RestError(400, 'MALFORMED_REQUEST', text, action)
}
