// Adds the partition of a group's offsets to a transaction. Clients of transaction version 2 leave
// this to TxnOffsetCommit.

import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { offsetsTopicName } from '../../coordinators/coordinatorTopicNames.ts'
import { handler } from '../handler.ts'
import { offsetsPartition } from '../offsetsPartition.ts'
import { errorForOlder } from '../producerFenced.ts'

/** From this version on, a client knows PRODUCER_FENCED. */
const fencedVersion = 2

export const addOffsetsToTxnHandler = handler(
  addOffsetsToTxn,
  async (request, { broker, apiVersion }) => {
    if (request.groupId === '') return { throttleTimeMs: 0, errorCode: ErrorCode.invalidGroupId }
    const offsets = await offsetsPartition(request.groupId, broker)
    if (typeof offsets === 'number') return { throttleTimeMs: 0, errorCode: offsets }
    const partitions = [{ topic: offsetsTopicName, partition: offsets.partition }]
    const errorCode = await broker.transactions.addPartitions(request, partitions, 0)
    return { throttleTimeMs: 0, errorCode: errorForOlder(errorCode, apiVersion, fencedVersion) }
  },
)
