// What is asked of an RDD's partitions. Plain values, because they are sent to executors: a function
// could not be. What needs a function (reduce) is done with transformations and a collect.

import type { Lineage, TaskContext } from './lineage.ts'

export type Action =
  | { readonly kind: 'collect'; readonly limit?: number | undefined }
  | { readonly kind: 'count' }

/** The elements of one partition (at most `limit` of them), or how many there are. */
export async function runAction(
  action: Action,
  rdd: Lineage<unknown>,
  partition: number,
  task: TaskContext,
): Promise<unknown> {
  if (action.kind === 'count') {
    let count = 0
    await rdd.compute(partition, task, () => count++)
    return count
  }
  const limit = action.limit ?? Infinity
  const elements: unknown[] = []
  await rdd.compute(partition, task, (element) => {
    if (elements.length < limit) elements.push(element)
  })
  return elements
}
