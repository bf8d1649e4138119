// The producers that partitions know: where their sequences are, and which transactions are open.

import { describeProducers } from '../../../protocol/kafka/apis/describeProducers.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { topicNameProblem } from '../../controller/topics/topicName.ts'
import type { ProducerEntry } from '../../log/producers/producerState.ts'
import { handler } from '../handler.ts'
import { partitionExists } from '../partitionExists.ts'
import type { BrokerParts } from '../requestContext.ts'

/** About what one takes, as an object and in the answer. */
const producerBytes = 150

export const describeProducersHandler = handler(describeProducers, ({ topics }, context) => {
  const allowance = context.answerMemory.allowance()
  const described = (topic: string, partitionIndex: number) => {
    const partition = describe(topic, partitionIndex, context.broker)
    const bytes = partition.activeProducers.length * producerBytes
    allowance.take(bytes, 'what DescribeProducers is to tell')
    return { partitionIndex, ...partition }
  }
  return {
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => described(name, partitionIndex)),
    })),
  }
})

function describe(topic: string, partition: number, { controller, replicas }: BrokerParts) {
  const problem = topicNameProblem(topic)
  if (problem) return failure(ErrorCode.invalidTopicException, problem)
  if (!partitionExists(controller.state, topic, partition)) {
    return failure(ErrorCode.unknownTopicOrPartition, null)
  }
  // The partition of a coordinator that has not written to it yet has no log, and no producers.
  const producers = [...(replicas.log(topic, partition)?.producers() ?? [])]
  return {
    errorCode: ErrorCode.none,
    errorMessage: null,
    activeProducers: producers.map(activeProducer),
  }
}

function activeProducer(entry: ProducerEntry) {
  return {
    producerId: entry.producerId,
    producerEpoch: entry.producerEpoch,
    lastSequence: entry.batches.at(-1)?.lastSequence ?? -1,
    lastTimestamp: entry.lastTimestampMs,
    coordinatorEpoch: entry.coordinatorEpoch,
    currentTxnStartOffset: entry.currentTxnFirstOffset,
  }
}

function failure(errorCode: number, errorMessage: string | null) {
  return { errorCode, errorMessage, activeProducers: [] }
}
