// The answers of the transaction coordinator.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { noEpoch, noProducerId } from './transactionMetadata.ts'

export interface TransactionOutcome {
  readonly errorCode: number
  /** The producer id to use from now on; -1 with an error, and when the client knows it already. */
  readonly producerId: number
  readonly producerEpoch: number
}

export const succeeded: TransactionOutcome = failed(ErrorCode.none)

export function succeededAs(producer: {
  readonly producerId: number
  readonly producerEpoch: number
}): TransactionOutcome {
  const { producerId, producerEpoch } = producer
  return { errorCode: ErrorCode.none, producerId, producerEpoch }
}

export function failed(errorCode: number): TransactionOutcome {
  return { errorCode, producerId: noProducerId, producerEpoch: noEpoch }
}
