// Requests that ask for the same to be done with many partitions, and are answered with an error code
// for each. Those that are there are taken all at once; the others are answered here.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { MetadataState } from '../controller/metadataState.ts'
import { partitionExists } from './partitionExists.ts'

interface WantedTopic<Partition> {
  readonly name: string
  readonly partitions: readonly Partition[]
}

/** `act` answers with a code for each item; it is not called when none of the partitions is there. */
export async function codesByPartition<Partition extends { readonly partitionIndex: number }, Item>(
  state: MetadataState,
  topics: readonly WantedTopic<Partition>[],
  itemOf: (topic: string, partition: Partition) => Item,
  act: (items: readonly Item[]) => Promise<readonly number[]>,
) {
  const items: Item[] = []
  const places = topics.map((topic) =>
    topic.partitions.map((partition) => {
      const exists = partitionExists(state, topic.name, partition.partitionIndex)
      return exists ? items.push(itemOf(topic.name, partition)) - 1 : undefined
    }),
  )
  const codes = items.length > 0 ? await act(items) : []
  const codeAt = (place: number | undefined) =>
    place === undefined ? ErrorCode.unknownTopicOrPartition : codes[place]!
  return topics.map(({ name, partitions }, topicAt) => ({
    name,
    partitions: partitions.map(({ partitionIndex }, at) => ({
      partitionIndex,
      errorCode: codeAt(places[topicAt]![at]),
    })),
  }))
}
