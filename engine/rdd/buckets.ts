// The map side of a shuffle: divides one partition of the parent into a bucket per reduce
// partition. A bucket is two columns (keys, values), so that it is sent between threads as one
// message.

import type { Key } from '../keys/key.ts'
import type { Partitioner } from '../keys/partitioner.ts'
import type { Bucket, ShuffleDependency, TaskContext } from './lineage.ts'
import { combineInto } from './shuffled.ts'

/** Returns the buckets of one map partition, one for each reduce partition. */
export async function writeBuckets(
  dependency: ShuffleDependency,
  partition: number,
  task: TaskContext,
): Promise<Bucket[]> {
  const { parent, partitioner, combiner } = dependency
  const writer = new BucketWriter(partitioner)
  if (!combiner) {
    await parent.compute(partition, task, (pair) => writer.add(pair[0], pair[1]))
    return writer.buckets
  }
  const combined = new Map<Key, unknown>()
  await parent.compute(partition, task, combineInto(combined, combiner))
  for (const [key, value] of combined) writer.add(key, value)
  return writer.buckets
}

class BucketWriter {
  readonly buckets: { keys: Key[]; values: unknown[] }[]
  readonly #partitioner: Partitioner

  constructor(partitioner: Partitioner) {
    this.#partitioner = partitioner
    this.buckets = Array.from({ length: partitioner.partitionCount }, () => ({
      keys: [],
      values: [],
    }))
  }

  add(key: Key, value: unknown): void {
    const bucket = this.buckets[this.#partitioner.partitionOf(key)]!
    bucket.keys.push(key)
    bucket.values.push(value)
  }
}
