// DescribeProducers: describes the producer state of partitions, with last sequence numbers and
// open transactions.

import { describeProducers } from '../../../protocol/kafka/apis/describeProducers.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { topicNameProblem } from '../../controller/topics/topicName.ts'
import type { ProducerEntry } from '../../log/producers/producerState.ts'
import { partitionExists } from '../partitions/partitionExists.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

/** Approximate memory of one producer, as an object and in the answer, in bytes. */
const producerBytes = 150

export const describeProducersHandler = handler(describeProducers, ({ topics }, context) => {
  const allowance = context.answerMemory.allowance()
  const described = (topic: string, partitionIndex: number) => {
    const partition = describe(topic, partitionIndex, context.broker)
    const bytes = partition.activeProducers.length * producerBytes
    allowance.take(bytes, 'the response to DescribeProducers')
    return { partitionIndex, ...partition }
  }
  return {
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
  // A coordinator's partition that was never written has no log yet, and so no producers.
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
