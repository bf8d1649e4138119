// AddPartitionsToTxn: adds partitions to a transaction, durably, before its producer writes to
// them. Clients name one transaction; from version 4 on, brokers name several, or only verify that
// partitions are part of them.

import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import { partitionExists } from '../partitions/partitionExists.ts'
import { handler } from '../request/handler.ts'
import type { RequestContext } from '../request/requestContext.ts'
import { errorForOlder } from '../transactions/producerFenced.ts'

type Transaction = RequestOf<typeof addPartitionsToTxn>['transactions'][number]

/** First version whose clients know PRODUCER_FENCED. */
const fencedVersion = 2
/** First version with several transactions in a request, whose clients bump their epochs. */
const batchedVersion = 4

export const addPartitionsToTxnHandler = handler(addPartitionsToTxn, async (request, context) => {
  if (context.apiVersion >= batchedVersion) {
    const resultsByTransaction = request.transactions.map(async (transaction) => ({
      transactionalId: transaction.transactionalId,
      topicResults: await topicResults(transaction, context),
    }))
    return {
      errorCode: ErrorCode.none,
      resultsByTransaction: await Promise.all(resultsByTransaction),
      resultsByTopicV3AndBelow: [],
    }
  }
  const transaction = {
    transactionalId: request.v3AndBelowTransactionalId,
    producerId: request.v3AndBelowProducerId,
    producerEpoch: request.v3AndBelowProducerEpoch,
    verifyOnly: false,
    topics: request.v3AndBelowTopics,
  }
  const resultsByTopicV3AndBelow = await topicResults(transaction, context)
  return { resultsByTransaction: [], resultsByTopicV3AndBelow }
})

async function topicResults(transaction: Transaction, context: RequestContext) {
  const codes = await errorCodes(transaction, context)
  let next = 0
  return transaction.topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: errorForOlder(codes[next++]!, context.apiVersion, fencedVersion),
    })),
  }))
}

/** Returns the error code of each partition, in the order of the request. */
async function errorCodes(
  transaction: Transaction,
  { broker, apiVersion }: RequestContext,
): Promise<number[]> {
  const partitions = transaction.topics.flatMap(({ name, partitions: numbers }) =>
    numbers.map((partition): TopicPartition => ({ topic: name, partition })),
  )
  const { state } = broker.controller
  const exist = partitions.map(({ topic, partition }) => partitionExists(state, topic, partition))
  if (exist.includes(false)) {
    // All or nothing: the partitions that exist are not added either.
    return exist.map((exists) =>
      exists ? ErrorCode.operationNotAttempted : ErrorCode.unknownTopicOrPartition,
    )
  }
  if (transaction.verifyOnly) return broker.transactions.verifyPartitions(transaction, partitions)
  const version = apiVersion >= batchedVersion ? 2 : 0
  const errorCode = await broker.transactions.addPartitions(transaction, partitions, version)
  return partitions.map(() => errorCode)
}
