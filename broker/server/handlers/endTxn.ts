// EndTxn: commits or aborts a transaction. Answered when the decision is durable and final; the
// markers, which consumers wait for, follow.

import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { failed } from '../../transactions/transactionOutcome.ts'
import { handler } from '../request/handler.ts'
import { errorForOlder } from '../transactions/producerFenced.ts'

/** First version whose clients know PRODUCER_FENCED. */
const fencedVersion = 2
/** First version in which the end of each transaction bumps the epoch (KIP-890). */
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
