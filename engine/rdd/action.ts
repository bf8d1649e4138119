// What is asked of an RDD's partitions. Plain values, because they are sent to executors: a function
// could not be. What needs a function (reduce) is done with transformations and a collect.

import { assert } from '../../protocol/runtime/assert.ts'
import { enough } from './enough.ts'
import type { Lineage, TaskContext } from './lineage.ts'

export type Action =
  | { readonly kind: 'collect'; readonly limit?: number | undefined }
  | { readonly kind: 'count' }
  /** Brings the state of a stateful operator to the batch that runs; the result is what Advanced says. */
  | { readonly kind: 'advance' }

/**
 * The elements of one partition (at most `limit` of them), or how many there are. Computes no more
 * elements than it returns.
 */
export async function runAction(
  action: Action,
  rdd: Lineage<unknown>,
  partition: number,
  task: TaskContext,
): Promise<unknown> {
  if (action.kind === 'advance') {
    assert(rdd.advance, `${rdd.name} keeps no state`)
    return await rdd.advance(partition, task)
  }
  if (action.kind === 'count') {
    let count = 0
    await rdd.compute(partition, task, () => count++)
    return count
  }
  const elements: unknown[] = []
  const { limit } = action
  if (limit === undefined) {
    await rdd.compute(partition, task, (element) => elements.push(element))
  } else if (limit > 0) {
    await computeFirst(limit, elements, rdd, partition, task)
  }
  return elements
}

async function computeFirst(
  limit: number,
  elements: unknown[],
  rdd: Lineage<unknown>,
  partition: number,
  task: TaskContext,
): Promise<void> {
  try {
    await rdd.compute(partition, task, (element) => {
      elements.push(element)
      if (elements.length >= limit) throw enough
    })
  } catch (error) {
    if (error !== enough) throw error
  }
}
