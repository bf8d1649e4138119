// Decides what a request to end a transaction does: it begins the end, finds it already done, or is
// refused. Kafka's rules, for clients of both versions. With version 2 every transaction has an
// epoch of its own: a request whose epoch is one below the current one names the transaction that
// ended last, so it is a retry. A retry is answered as the first request was, and must never end
// the next transaction. Pure functions.

import { TransactionStatus } from '../../protocol/kafka/coordinators/transactionRecords.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import {
  type ClientTransactionVersion,
  isExhausted,
  maxEpoch,
  type TransactionMetadata,
} from './transactionMetadata.ts'

export interface EndTxnRequest {
  readonly producerId: number
  readonly producerEpoch: number
  readonly committed: boolean
  readonly clientTransactionVersion: ClientTransactionVersion
}

export type EndTxnDecision =
  | { readonly kind: 'begin' }
  | { readonly kind: 'alreadyDone' }
  | { readonly kind: 'refused'; readonly errorCode: number }

const begin: EndTxnDecision = { kind: 'begin' }
const alreadyDone: EndTxnDecision = { kind: 'alreadyDone' }
const wrongState = refused(ErrorCode.invalidTxnState)
const busy = refused(ErrorCode.concurrentTransactions)

/**
 * Returns the decision for a request. `isBusy`: the last step is not durable yet, or the markers of
 * a decided end are being written.
 */
export function decideEndTxn(
  metadata: TransactionMetadata,
  isBusy: boolean,
  request: EndTxnRequest,
): EndTxnDecision {
  return request.clientTransactionVersion === 2
    ? decideWithEpochs(metadata, isBusy, request)
    : decideWithoutEpochs(metadata, isBusy, request)
}

function decideWithoutEpochs(
  metadata: TransactionMetadata,
  isBusy: boolean,
  request: EndTxnRequest,
): EndTxnDecision {
  const error = claimError(metadata, request)
  if (error !== ErrorCode.none) return refused(error)
  if (isBusy) return busy
  if (metadata.status === TransactionStatus.ongoing) return begin
  return metadata.status === completeStatus(request) ? alreadyDone : wrongState
}

function decideWithEpochs(
  metadata: TransactionMetadata,
  isBusy: boolean,
  request: EndTxnRequest,
): EndTxnDecision {
  // Checked first: the step in progress may be the one that this request repeats, or may lead to
  // the producer id of this request.
  if (isBusy) return busy
  if (isRetry(metadata, request)) {
    return metadata.status === completeStatus(request) ? alreadyDone : wrongState
  }
  const error = claimError(metadata, request)
  if (error !== ErrorCode.none) return refused(error)
  if (metadata.status === TransactionStatus.ongoing) return begin
  // No transaction is open. A client cannot know whether its transaction has reached the
  // coordinator, so an abort is always allowed.
  return request.committed ? wrongState : begin
}

/** Whether the request names the transaction that ended last. */
function isRetry(metadata: TransactionMetadata, request: EndTxnRequest): boolean {
  const { status, clientTransactionVersion } = metadata
  // Unless the last end has bumped the epoch, the epoch below is that of a fenced producer.
  if (clientTransactionVersion !== 2) return false
  if (status === TransactionStatus.empty || status === TransactionStatus.ongoing) return false
  const { producerId, producerEpoch } = request
  if (producerId === metadata.producerId) return producerEpoch + 1 === metadata.producerEpoch
  const changedId = producerId === metadata.previousProducerId && metadata.producerEpoch === 0
  return changedId && isExhausted(producerEpoch)
}

/**
 * Returns 0 when the producer id and epoch are the current ones of the transactional id; otherwise
 * an error code.
 */
export function claimError(
  metadata: TransactionMetadata,
  { producerId, producerEpoch }: Pick<EndTxnRequest, 'producerId' | 'producerEpoch'>,
): number {
  if (producerId !== metadata.producerId) return ErrorCode.invalidProducerIdMapping
  const isCurrent = producerEpoch === metadata.producerEpoch && producerEpoch < maxEpoch
  return isCurrent ? ErrorCode.none : ErrorCode.producerFenced
}

function completeStatus({ committed }: EndTxnRequest): TransactionStatus {
  return committed ? TransactionStatus.completeCommit : TransactionStatus.completeAbort
}

function refused(errorCode: number): EndTxnDecision {
  return { kind: 'refused', errorCode }
}
