// Actions on the partitions of an RDD. Plain values, because they are sent to executors and
// functions cannot be: `reduce`, which needs a function, is a transformation followed by a collect.

import { assert } from '../../protocol/runtime/assert.ts'
import { enough } from '../sources/sink.ts'
import type { Lineage, TaskContext } from './lineage.ts'

export type Action =
  | { readonly kind: 'collect'; readonly limit?: number | undefined }
  | { readonly kind: 'count' }
  /**
   * Advances the state of a stateful operator to the running batch; the result is an `Advanced`.
   */
  | { readonly kind: 'advance' }

/**
 * Returns the elements of one partition (at most `limit`), or their number. Computes no more
 * elements than it returns.
 */
export async function runAction(
  action: Action,
  rdd: Lineage<unknown>,
  partition: number,
  task: TaskContext,
): Promise<unknown> {
  if (action.kind === 'advance') {
    assert(rdd.advance, `${rdd.name} has no state`)
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
