// AddOffsetsToTxn: adds the partition of a group's offsets to a transaction. Clients of transaction
// version 2 leave this to TxnOffsetCommit.

import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { offsetsTopicName } from '../../coordinators/coordinatorTopicNames.ts'
import { numberOfOffsetsPartition } from '../offsetsPartition.ts'
import { handler } from '../request/handler.ts'
import { errorForOlder } from '../transactions/producerFenced.ts'

/** First version whose clients know PRODUCER_FENCED. */
const fencedVersion = 2

export const addOffsetsToTxnHandler = handler(
  addOffsetsToTxn,
  async (request, { broker, apiVersion }) => {
    if (request.groupId === '') return { errorCode: ErrorCode.invalidGroupId }
    const offsets = await numberOfOffsetsPartition(request.groupId, broker)
    if (typeof offsets === 'number') return { errorCode: offsets }
    const partitions = [{ topic: offsetsTopicName, partition: offsets.partition }]
    const errorCode = await broker.transactions.addPartitions(request, partitions, 0)
    return { errorCode: errorForOlder(errorCode, apiVersion, fencedVersion) }
  },
)
