// What becomes of a request to end a transaction: begun, already done, or refused. Kafka's rules for
// clients of both versions. With version 2 the epoch says which transaction is meant, because each
// has its own: one below the current means the one that has ended, so the request is a retry. A
// retry must be answered as the first time, and must never end the transaction after it.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { TransactionStatus } from '../../protocol/kafka/transactionRecords.ts'
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

/** `isBusy`: the last step is not durable yet, or the markers of a decided end are being written. */
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
  // Asked first: the step under way may be the very one that this request repeats, or lead to the
  // producer id that it comes from.
  if (isBusy) return busy
  if (isRetry(metadata, request)) {
    return metadata.status === completeStatus(request) ? alreadyDone : wrongState
  }
  const error = claimError(metadata, request)
  if (error !== ErrorCode.none) return refused(error)
  if (metadata.status === TransactionStatus.ongoing) return begin
  // A client cannot know whether its transaction got as far as the coordinator: it may always abort.
  return request.committed ? wrongState : begin
}

/** Whether the request is for the transaction that has been ended last. */
function isRetry(metadata: TransactionMetadata, request: EndTxnRequest): boolean {
  const { status, clientTransactionVersion } = metadata
  // Where the last end did not bump the epoch, the one below belongs to a producer that was fenced.
  if (clientTransactionVersion !== 2) return false
  if (status === TransactionStatus.empty || status === TransactionStatus.ongoing) return false
  const { producerId, producerEpoch } = request
  if (producerId === metadata.producerId) return producerEpoch + 1 === metadata.producerEpoch
  const changedId = producerId === metadata.previousProducerId && metadata.producerEpoch === 0
  return changedId && isExhausted(producerEpoch)
}

/** Who may speak for the transactional id: one producer id, one epoch. */
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
