// WriteTxnMarkers: writes the markers that end transactions, for coordinators on other brokers, and
// for operators who end a transaction that its coordinator has lost (kafka-transactions abort).

import { writeTxnMarkers } from '../../../protocol/kafka/apis/writeTxnMarkers.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

type Marker = RequestOf<typeof writeTxnMarkers>['markers'][number]

export const writeTxnMarkersHandler = handler(writeTxnMarkers, async ({ markers }, { broker }) => ({
  markers: await Promise.all(markers.map((marker) => write(marker, broker))),
}))

async function write(marker: Marker, { transactions }: BrokerParts) {
  const { producerId, producerEpoch, transactionResult: committed, coordinatorEpoch } = marker
  const end = { producerId, producerEpoch, committed }
  const topics = marker.topics.map(async ({ name, partitionIndexes }) => ({
    name,
    partitions: await Promise.all(
      partitionIndexes.map(async (partitionIndex) => {
        const partition = { topic: name, partition: partitionIndex }
        const errorCode = await transactions.writeMarker(partition, end, coordinatorEpoch)
        return { partitionIndex, errorCode }
      }),
    ),
  }))
  return { producerId, topics: await Promise.all(topics) }
}
