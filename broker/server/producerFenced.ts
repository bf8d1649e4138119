// How a producer is told that another one has taken its place. The error PRODUCER_FENCED is younger
// than transactions: clients that do not know it act rightly on the one it came from.

import { ErrorCode } from '../../protocol/kafka/errors.ts'

/** `knownFrom`: the version of the API from which on its clients know PRODUCER_FENCED. */
export function errorForOlder(errorCode: number, apiVersion: number, knownFrom: number): number {
  const isUnknown = errorCode === ErrorCode.producerFenced && apiVersion < knownFrom
  return isUnknown ? ErrorCode.invalidProducerEpoch : errorCode
}
