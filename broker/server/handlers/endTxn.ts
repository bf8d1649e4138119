// Commits or aborts a transaction. Answered when the decision is durable: the markers for consumers
// follow, and nothing can change the outcome any more.

import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { failed } from '../../transactions/transactionOutcome.ts'
import { handler } from '../request/handler.ts'
import { errorForOlder } from '../transactions/producerFenced.ts'

/** From this version on, a client knows PRODUCER_FENCED. */
const fencedVersion = 2
/** From this version on, the epoch is bumped with the end of each transaction (KIP-890). */
const bumpingVersion = 5

export const endTxnHandler = handler(endTxn, async (request, { broker, apiVersion }) => {
  const { transactionalId, producerId, producerEpoch, committed } = request
  const clientTransactionVersion = apiVersion >= bumpingVersion ? 2 : 0
  const end = { producerId, producerEpoch, committed, clientTransactionVersion } as const
  const outcome =
    transactionalId === ''
      ? failed(ErrorCode.invalidRequest)
      : await broker.transactions.endTxn(transactionalId, end)
  const errorCode = errorForOlder(outcome.errorCode, apiVersion, fencedVersion)
  return { ...outcome, errorCode }
})
