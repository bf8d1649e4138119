// Kafka's error codes, as of 4.1: the table of all errors that a broker may return. A code is an
// expected outcome and is passed as a number; KafkaError is for a code that ends an operation.

import { CodedError } from '../runtime/codedError.ts'

/** Kafka's error codes by name. */
export const ErrorCode = {
  unknownServerError: -1,
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  invalidFetchSize: 4,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  brokerNotAvailable: 8,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  staleControllerEpoch: 11,
  offsetMetadataTooLarge: 12,
  networkException: 13,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopicException: 17,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  invalidRequiredAcks: 21,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  invalidGroupId: 24,
  unknownMemberId: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  invalidCommitOffsetSize: 28,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  unsupportedSaslMechanism: 33,
  illegalSaslState: 34,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  invalidPartitions: 37,
  invalidReplicationFactor: 38,
  invalidReplicaAssignment: 39,
  invalidConfig: 40,
  notController: 41,
  invalidRequest: 42,
  unsupportedForMessageFormat: 43,
  policyViolation: 44,
  outOfOrderSequenceNumber: 45,
  duplicateSequenceNumber: 46,
  invalidProducerEpoch: 47,
  invalidTxnState: 48,
  invalidProducerIdMapping: 49,
  invalidTransactionTimeout: 50,
  concurrentTransactions: 51,
  transactionCoordinatorFenced: 52,
  transactionalIdAuthorizationFailed: 53,
  securityDisabled: 54,
  operationNotAttempted: 55,
  kafkaStorageError: 56,
  logDirNotFound: 57,
  saslAuthenticationFailed: 58,
  unknownProducerId: 59,
  reassignmentInProgress: 60,
  delegationTokenAuthDisabled: 61,
  delegationTokenNotFound: 62,
  delegationTokenOwnerMismatch: 63,
  delegationTokenRequestNotAllowed: 64,
  delegationTokenAuthorizationFailed: 65,
  delegationTokenExpired: 66,
  invalidPrincipalType: 67,
  nonEmptyGroup: 68,
  groupIdNotFound: 69,
  fetchSessionIdNotFound: 70,
  invalidFetchSessionEpoch: 71,
  listenerNotFound: 72,
  topicDeletionDisabled: 73,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  unsupportedCompressionType: 76,
  staleBrokerEpoch: 77,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  preferredLeaderNotAvailable: 80,
  groupMaxSizeReached: 81,
  fencedInstanceId: 82,
  eligibleLeadersNotAvailable: 83,
  electionNotNeeded: 84,
  noReassignmentInProgress: 85,
  groupSubscribedToTopic: 86,
  invalidRecord: 87,
  unstableOffsetCommit: 88,
  throttlingQuotaExceeded: 89,
  producerFenced: 90,
  resourceNotFound: 91,
  duplicateResource: 92,
  unacceptableCredential: 93,
  inconsistentVoterSet: 94,
  invalidUpdateVersion: 95,
  featureUpdateFailed: 96,
  principalDeserializationFailure: 97,
  snapshotNotFound: 98,
  positionOutOfRange: 99,
  unknownTopicId: 100,
  duplicateBrokerRegistration: 101,
  brokerIdNotRegistered: 102,
  inconsistentTopicId: 103,
  inconsistentClusterId: 104,
  transactionalIdNotFound: 105,
  fetchSessionTopicIdError: 106,
  ineligibleReplica: 107,
  newLeaderElected: 108,
  offsetMovedToTieredStorage: 109,
  fencedMemberEpoch: 110,
  unreleasedInstanceId: 111,
  unsupportedAssignor: 112,
  staleMemberEpoch: 113,
  mismatchedEndpointType: 114,
  unsupportedEndpointType: 115,
  unknownControllerId: 116,
  unknownSubscriptionId: 117,
  telemetryTooLarge: 118,
  invalidRegistration: 119,
  transactionAbortable: 120,
  invalidRecordState: 121,
  shareSessionNotFound: 122,
  invalidShareSessionEpoch: 123,
  fencedStateEpoch: 124,
  invalidVoterKey: 125,
  duplicateVoter: 126,
  voterNotFound: 127,
  invalidRegularExpression: 128,
  rebootstrapRequired: 129,
  streamsInvalidTopology: 130,
  streamsInvalidTopologyEpoch: 131,
  streamsTopologyFenced: 132,
  shareSessionLimitReached: 133,
} as const

/** One of Kafka's error codes. */
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode]

/** Codes after which a retry may succeed, with fresh metadata or after a while. */
const retriable: ReadonlySet<number> = new Set([
  ErrorCode.corruptMessage,
  ErrorCode.unknownTopicOrPartition,
  ErrorCode.leaderNotAvailable,
  ErrorCode.notLeaderOrFollower,
  ErrorCode.requestTimedOut,
  ErrorCode.replicaNotAvailable,
  ErrorCode.networkException,
  ErrorCode.coordinatorLoadInProgress,
  ErrorCode.coordinatorNotAvailable,
  ErrorCode.notCoordinator,
  ErrorCode.notEnoughReplicas,
  ErrorCode.notEnoughReplicasAfterAppend,
  ErrorCode.notController,
  ErrorCode.concurrentTransactions,
  ErrorCode.kafkaStorageError,
  ErrorCode.fetchSessionIdNotFound,
  ErrorCode.invalidFetchSessionEpoch,
  ErrorCode.listenerNotFound,
  ErrorCode.fencedLeaderEpoch,
  ErrorCode.unknownLeaderEpoch,
  ErrorCode.offsetNotAvailable,
  ErrorCode.preferredLeaderNotAvailable,
  ErrorCode.eligibleLeadersNotAvailable,
  ErrorCode.electionNotNeeded,
  ErrorCode.unstableOffsetCommit,
  ErrorCode.throttlingQuotaExceeded,
  ErrorCode.unknownTopicId,
  ErrorCode.inconsistentTopicId,
  ErrorCode.fetchSessionTopicIdError,
  ErrorCode.shareSessionNotFound,
  ErrorCode.invalidShareSessionEpoch,
  ErrorCode.shareSessionLimitReached,
])

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(ErrorCode).map(([name, code]) => [
    code,
    name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
  ]),
)

/**
 * Returns Kafka's name, such as 'OFFSET_OUT_OF_RANGE'; 'UNKNOWN_ERROR_CODE_n' for codes of newer
 * brokers.
 */
export function errorName(code: number): string {
  return names.get(code) ?? `UNKNOWN_ERROR_CODE_${code}`
}

export function isRetriable(code: number): boolean {
  return retriable.has(code)
}

/** The failure of an operation by a broker's error code; `code` is Kafka's name of it. */
export class KafkaError extends CodedError {
  readonly errorCode: number
  /** Message of the broker, or the subject of the error. */
  readonly detail: string | undefined

  constructor(errorCode: number, detail?: string) {
    const name = errorName(errorCode)
    const title = `${name} (${errorCode})`
    super(name, detail === undefined ? title : `${title}: ${detail}`)
    this.detail = detail
    this.errorCode = errorCode
  }

  get isRetriable(): boolean {
    return isRetriable(this.errorCode)
  }
}
