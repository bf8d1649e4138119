// DescribeTransactions: describes transactions by transactional id.

import { describeTransactions } from '../../../protocol/kafka/apis/describeTransactions.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { TransactionService } from '../../transactions/transactionService.ts'
import { transactionStateName } from '../../transactions/transactionStateName.ts'
import { handler } from '../request/handler.ts'

/** Approximate memory of one topic, as an object and in the answer, in bytes. */
const topicBytes = 150
const partitionBytes = 12

export const describeTransactionsHandler = handler(
  describeTransactions,
  ({ transactionalIds }, { broker, answerMemory }) => {
    const allowance = answerMemory.allowance()
    const transactionStates = transactionalIds.map((transactionalId) => {
      const state = describe(transactionalId, broker.transactions)
      for (const { partitions } of state.topics) {
        const bytes = topicBytes + partitions.length * partitionBytes
        allowance.take(bytes, 'the response to DescribeTransactions')
      }
      return { transactionalId, ...state }
    })
    return { transactionStates }
  },
)

function describe(transactionalId: string, transactions: TransactionService) {
  if (transactionalId === '') return failure(ErrorCode.invalidRequest)
  const error = transactions.coordinatorError(transactionalId)
  if (error !== ErrorCode.none) return failure(error)
  const metadata = transactions.describe(transactionalId)
  if (!metadata) return failure(ErrorCode.transactionalIdNotFound)
  return {
    errorCode: ErrorCode.none,
    transactionState: transactionStateName(metadata.status),
    transactionTimeoutMs: metadata.timeoutMs,
    transactionStartTimeMs: metadata.startTimestampMs,
    producerId: metadata.producerId,
    producerEpoch: metadata.producerEpoch,
    topics: metadata.partitions.byTopic(),
  }
}

function failure(errorCode: number) {
  return {
    errorCode,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [],
  }
}
