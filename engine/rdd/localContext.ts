// A context without a scheduler, threads or messages: plain batch RDDs, computed at once in the
// calling thread. For small programs, and as the oracle that the scheduler is tested against, so it
// must never share the scheduler's code.

import { assert } from '../../protocol/runtime/assert.ts'
import { type Action, runAction } from './action.ts'
import { writeBuckets } from './buckets.ts'
import type { Bucket, Lineage, ShuffleDependency, TaskContext } from './lineage.ts'
import { Rdd, type RddContext } from './rdd.ts'

export interface LocalContext extends RddContext {
  /** An RDD of the elements in order, in partitions of about equal size. */
  parallelize<T>(elements: readonly T[], partitions?: number): Rdd<T>
  /** An RDD with the given partitions. */
  fromPartitions<T>(partitions: readonly (readonly T[])[]): Rdd<T>
}

const noState = () => Promise.reject(new Error('a local context has no state'))

export function localContext(defaultPartitions = 2): LocalContext {
  let made = 0
  const shuffles = new Map<string, ShuffleDependency>()
  const outputs = new Map<string, Promise<Bucket[][]>>()

  const task: TaskContext = {
    batchId: -1,
    timeMs: 0,
    watermarks: {},
    async readShuffle(shuffleId, reducePartition) {
      let output = outputs.get(shuffleId)
      if (!output) {
        output = mapSide(shuffles.get(shuffleId)!)
        outputs.set(shuffleId, output)
      }
      return (await output).map((buckets) => buckets[reducePartition]!)
    },
    scan: () => Promise.reject(new Error('a local context reads no topics')),
    advanceState: () => noState(),
    stateVersion: () => noState(),
    stateSize: () => noState(),
    scanState: () => noState(),
    noteEventTime: () => {},
    reject: () => {},
  }

  async function mapSide(dependency: ShuffleDependency): Promise<Bucket[][]> {
    const partitions = Array.from({ length: dependency.parent.partitionCount }, (_, at) => at)
    return await Promise.all(partitions.map((at) => writeBuckets(dependency, at, task)))
  }

  const context: LocalContext = {
    defaultPartitions,
    nextId: () => String(made++),
    register(rdd) {
      for (const dependency of rdd.dependencies) {
        if (dependency.kind === 'shuffle') shuffles.set(dependency.id, dependency)
      }
    },
    async run(rdd: Lineage<unknown>, action: Action, partitions) {
      const wanted = partitions ?? Array.from({ length: rdd.partitionCount }, (_, at) => at)
      return await Promise.all(wanted.map((at) => runAction(action, rdd, at, task)))
    },
    parallelize(elements, partitions = defaultPartitions) {
      assert(partitions > 0, 'parallelize needs at least one partition')
      const cut = (at: number) => Math.floor((at * elements.length) / partitions)
      return context.fromPartitions(
        Array.from({ length: partitions }, (_, at) => elements.slice(cut(at), cut(at + 1))),
      )
    },
    fromPartitions<T>(partitions: readonly (readonly T[])[]) {
      return new Rdd<T>(context, {
        name: 'parallelize',
        partitionCount: partitions.length,
        dependencies: [],
        compute(partition, _task, sink) {
          for (const element of partitions[partition]!) sink(element)
        },
      })
    },
  }
  return context
}
