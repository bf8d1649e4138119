// TxnOffsetCommit: commits offsets of a group within a transaction. They are not visible before the
// transaction is committed. Answered when they are durable.

import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { offsetsTopicName } from '../../coordinators/coordinatorTopicNames.ts'
import type { OffsetToCommit } from '../../groups/groupRequests.ts'
import { offsetsPartition } from '../offsetsPartition.ts'
import { offsetToCommit } from '../offsetToCommit.ts'
import { codesByPartition } from '../partitions/codesByPartition.ts'
import { handler } from '../request/handler.ts'
import type { RequestContext } from '../request/requestContext.ts'

type Request = RequestOf<typeof txnOffsetCommit>

/** First version whose clients know TRANSACTION_ABORTABLE. */
const abortableVersion = 4
/** First version in which the broker adds the partition to the transaction. */
const addingVersion = 5

export const txnOffsetCommitHandler = handler(txnOffsetCommit, async (request, context) => {
  const { broker } = context
  const timestamps = { commitTimestampMs: broker.clock.nowMs(), expireTimestampMs: -1 }
  const topics = await codesByPartition(
    broker.controller.state,
    request.topics,
    (topic, partition) => offsetToCommit(topic, partition, timestamps),
    (offsets) => commit(request, offsets, context),
  )
  return { topics }
})

/** Returns an error code for each offset. */
async function commit(
  request: Request,
  offsets: readonly OffsetToCommit[],
  { broker, apiVersion }: RequestContext,
): Promise<readonly number[]> {
  const { groupId, memberId, groupInstanceId, generationId, producerId, producerEpoch } = request
  const { groups, transactions } = broker
  if (groupId === '') return offsets.map(() => ErrorCode.invalidGroupId)
  const addMissing = apiVersion >= addingVersion
  const found = await offsetsPartition(groupId, broker)
  if (typeof found === 'number') return offsets.map(() => found)
  const { partition, log } = found
  // Must precede the request to the coordinator: a marker that is written meanwhile invalidates the
  // guard.
  const verification = log.verificationFor({
    producerId,
    producerEpoch,
    baseSequence: -1,
    supportsEpochBump: addMissing,
  })
  const error = await transactions.verify(request, offsetsTopicName, partition, addMissing)
  if (error !== ErrorCode.none) return offsets.map(() => commitError(error, apiVersion))
  const member = { memberId, groupInstanceId }
  const producer = { producerId, producerEpoch, verification }
  return await groups.commitInTransaction({ groupId, member, generationId, ...producer, offsets })
}

/** Returns the transaction coordinator's error as one that the client's version knows. */
function commitError(errorCode: number, apiVersion: number): number {
  if (errorCode === ErrorCode.producerFenced) return ErrorCode.invalidProducerEpoch
  const isUnknown = errorCode === ErrorCode.transactionAbortable && apiVersion < abortableVersion
  return isUnknown ? ErrorCode.invalidTxnState : errorCode
}
