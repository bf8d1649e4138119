// Makes the partition that a group's offsets go to part of a transaction. Clients of transaction
// version 2 leave this to TxnOffsetCommit.

import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { offsetsTopicName } from '../../groups/offsetsTopic.ts'
import { handler } from '../handler.ts'
import { errorForOlder } from '../producerFenced.ts'

/** From here on a client knows PRODUCER_FENCED. */
const fencedVersion = 2

export const addOffsetsToTxnHandler = handler(
  addOffsetsToTxn,
  async (request, { broker, apiVersion }) => {
    const { groups, transactions } = broker
    if (request.groupId === '') return { throttleTimeMs: 0, errorCode: ErrorCode.invalidGroupId }
    const partition = await groups.partitionOf(request.groupId)
    const partitions = [{ topic: offsetsTopicName, partition }]
    const errorCode = await transactions.addPartitions(request, partitions, 0)
    return { throttleTimeMs: 0, errorCode: errorForOlder(errorCode, apiVersion, fencedVersion) }
  },
)
