// The error code for a fenced producer. PRODUCER_FENCED is younger than transactions: clients that
// do not know it handle INVALID_PRODUCER_EPOCH, from which it was split off, in the same way.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'

/**
 * Returns the error code that the client's version knows. `knownFrom` is the first version of the
 * API with PRODUCER_FENCED.
 */
export function errorForOlder(errorCode: number, apiVersion: number, knownFrom: number): number {
  const isUnknown = errorCode === ErrorCode.producerFenced && apiVersion < knownFrom
  return isUnknown ? ErrorCode.invalidProducerEpoch : errorCode
}
