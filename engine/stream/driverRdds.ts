// RDDs that a job creates in foreachRDD. Executors build the graph from the job's module; functions
// created while foreachRDD runs exist only in the driver and cannot be sent to executors. So these
// RDDs are computed in the driver's thread, from elements that executors compute and send. All
// operators work, but large work belongs in the graph.

import { EngineError } from '../engineError.ts'
import type { Lineage } from '../rdd/lineage.ts'
import { type LocalContext, localContext } from '../rdd/localContext.ts'
import { Rdd } from '../rdd/rdd.ts'

/** The driver's RDDs of one batch; they can be joined and united with one another. */
export class DriverRdds {
  readonly #context: LocalContext
  readonly #ofGraph = new Map<string, Rdd<unknown>>()

  constructor(partitions: number) {
    this.#context = localContext(partitions)
  }

  /**
   * Returns the RDD's elements, in the same partitions, as an RDD of the driver. Each action
   * fetches them.
   */
  of<T>(rdd: Rdd<T>): Rdd<T> {
    let here = this.#ofGraph.get(rdd.id)
    if (!here) {
      here = new Rdd<unknown>(this.#context, {
        name: rdd.name,
        partitionCount: rdd.partitionCount,
        partitioner: rdd.partitioner,
        dependencies: [],
        async compute(partition, _task, sink) {
          const [elements] = await rdd.context.run(rdd, { kind: 'collect' }, [partition])
          for (const element of elements as T[]) sink(element)
        },
      })
      this.#ofGraph.set(rdd.id, here)
    }
    return here as Rdd<T>
  }
}

/** The id of an RDD starts with its batch (see StreamGraph). */
export function batchOfRdd({ id }: Lineage<unknown>): number {
  return Number(id.slice(0, id.indexOf(':')))
}

export function batchIsOver(rdd: Lineage<unknown>): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `batch ${batchOfRdd(rdd)} has ended and its RDD can no longer be computed; await all work with an RDD in ` +
      'foreachRDD, and keep no RDD for later',
  )
}
