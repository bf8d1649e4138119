// Answers requests that do the same to many partitions with an error code for each: passes all
// existing partitions on together, and answers for those that do not exist.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { MetadataView } from '../../controller/metadata/metadataView.ts'
import { partitionExists } from './partitionExists.ts'

interface WantedTopic<Partition> {
  readonly name: string
  readonly partitions: readonly Partition[]
}

/** The source of a partition's error code: the item with this index, or known already. */
type Place = { readonly at: number } | { readonly errorCode: number }

/**
 * Returns the error codes of all partitions. `itemOf` returns the item for a partition, or the
 * error code with which it is refused. `act` returns a code for each item; it is not called without
 * items.
 */
export async function codesByPartition<
  Partition extends { readonly partitionIndex: number },
  Item extends object,
>(
  state: MetadataView,
  topics: readonly WantedTopic<Partition>[],
  itemOf: (topic: string, partition: Partition) => Item | number,
  act: (items: readonly Item[]) => Promise<readonly number[]>,
) {
  const items: Item[] = []
  const places = topics.map((topic) =>
    topic.partitions.map((partition): Place => {
      if (!partitionExists(state, topic.name, partition.partitionIndex)) {
        return { errorCode: ErrorCode.unknownTopicOrPartition }
      }
      const item = itemOf(topic.name, partition)
      return typeof item === 'number' ? { errorCode: item } : { at: items.push(item) - 1 }
    }),
  )
  const codes = items.length > 0 ? await act(items) : []
  const codeAt = (place: Place) => ('at' in place ? codes[place.at]! : place.errorCode)
  return topics.map(({ name, partitions }, topicAt) => ({
    name,
    partitions: partitions.map(({ partitionIndex }, at) => ({
      partitionIndex,
      errorCode: codeAt(places[topicAt]![at]!),
    })),
  }))
}
