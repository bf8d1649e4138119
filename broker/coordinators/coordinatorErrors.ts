// Translates the error of an append to a coordinator's partition into the error code that the
// coordinator's client gets: in most cases, to find the coordinator again.

import { ErrorCode } from '../../protocol/kafka/errors.ts'

export function coordinatorError(errorCode: number): number {
  switch (errorCode) {
    case ErrorCode.unknownTopicOrPartition:
    case ErrorCode.notEnoughReplicas:
    case ErrorCode.notEnoughReplicasAfterAppend:
    case ErrorCode.requestTimedOut:
      return ErrorCode.coordinatorNotAvailable
    case ErrorCode.notLeaderOrFollower:
    case ErrorCode.kafkaStorageError:
      return ErrorCode.notCoordinator
    case ErrorCode.messageTooLarge:
    case ErrorCode.recordListTooLarge:
    case ErrorCode.invalidFetchSize:
      return ErrorCode.unknownServerError
    default:
      return errorCode
  }
}
