// Plans of reduceByKey, groupByKey and cogroup. Each gathers the values of a key in one partition:
// through a shuffle, or in place when the parent is already partitioned that way. Memory: the
// distinct keys of a partition for a reduction, all its values for a grouping.

import type { Key } from '../keys/key.ts'
import type { Partitioner } from '../keys/partitioner.ts'
import {
  type Combiner,
  type Dependency,
  type Lineage,
  oneToOne,
  type Pair,
  type TaskContext,
} from './lineage.ts'
import type { RddPlan } from './narrow.ts'

/** Combines values on the map side first, so that a bucket contains each key once. */
export function combineByKey<K extends Key, V, C>(
  name: string,
  parent: Lineage<Pair<K, V>>,
  combiner: Combiner,
  partitioner: Partitioner,
  shuffleId: () => string,
): RddPlan<Pair<K, C>> {
  const inPlace = partitioner.equals(parent.partitioner)
  const dependency: Dependency = inPlace
    ? oneToOne(parent)
    : { kind: 'shuffle', id: shuffleId(), parent, partitioner, combiner }
  return {
    name,
    partitionCount: partitioner.partitionCount,
    dependencies: [dependency],
    partitioner,
    async compute(partition, task, sink) {
      const combined = new Map<Key, unknown>()
      if (dependency.kind === 'narrow') {
        await parent.compute(partition, task, combineInto(combined, combiner))
      } else {
        await mergeBuckets(combined, combiner, task, dependency.id, partition)
      }
      for (const [key, value] of combined) sink([key as K, value as C])
    },
  }
}

/** Returns a sink that combines pairs into `combined`. The hot loop of every keyed job. */
export function combineInto(
  combined: Map<Key, unknown>,
  combiner: Combiner,
): (pair: Pair<Key, unknown>) => void {
  return (pair) => {
    const key = pair[0]
    const before = combined.get(key)
    combined.set(
      key,
      before === undefined ? combiner.create(pair[1]) : combiner.mergeValue(before, pair[1]),
    )
  }
}

async function mergeBuckets(
  combined: Map<Key, unknown>,
  combiner: Combiner,
  task: TaskContext,
  shuffleId: string,
  partition: number,
): Promise<void> {
  for (const { keys, values } of await task.readShuffle(shuffleId, partition)) {
    for (let at = 0; at < keys.length; at++) {
      const key = keys[at]!
      const before = combined.get(key)
      const value = values[at]
      combined.set(key, before === undefined ? value : combiner.mergeCombined(before, value))
    }
  }
}

export function reduceByKey<K extends Key, V>(
  parent: Lineage<Pair<K, V>>,
  reduce: (left: V, right: V) => V,
  partitioner: Partitioner,
  shuffleId: () => string,
): RddPlan<Pair<K, V>> {
  return combineByKey('reduceByKey', parent, reducing(reduce), partitioner, shuffleId)
}

function reducing<V>(reduce: (left: V, right: V) => V): Combiner {
  const merge = reduce as (left: unknown, right: unknown) => unknown
  return { create: (value) => value, mergeValue: merge, mergeCombined: merge }
}

/**
 * No map-side combining, which would not reduce the data. The values of a key are ordered by map
 * partition and, within one, by element, whatever the schedule was.
 */
export function groupByKey<K extends Key, V>(
  parent: Lineage<Pair<K, V>>,
  partitioner: Partitioner,
  shuffleId: () => string,
): RddPlan<Pair<K, readonly V[]>> {
  const gather = gathering([parent], partitioner, shuffleId)
  return {
    name: 'groupByKey',
    partitionCount: partitioner.partitionCount,
    dependencies: gather.dependencies,
    partitioner,
    async compute(partition, task, sink) {
      const groups = await gather.groups(partition, task)
      for (const [key, values] of groups) sink([key as K, values[0] as V[]])
    },
  }
}

/** For each key of any parent, the values that each parent has for it. */
export function cogroup<K extends Key>(
  parents: readonly Lineage<Pair<K, unknown>>[],
  partitioner: Partitioner,
  shuffleId: () => string,
): RddPlan<Pair<K, readonly (readonly unknown[])[]>> {
  const gather = gathering(parents, partitioner, shuffleId)
  return {
    name: 'cogroup',
    partitionCount: partitioner.partitionCount,
    dependencies: gather.dependencies,
    partitioner,
    async compute(partition, task, sink) {
      for (const [key, values] of await gather.groups(partition, task)) sink([key as K, values])
    },
  }
}

/** Every pair of values that the two parents have for a key. */
export function join<K extends Key, V, W>(
  left: Lineage<Pair<K, V>>,
  right: Lineage<Pair<K, W>>,
  partitioner: Partitioner,
  shuffleId: () => string,
): RddPlan<Pair<K, readonly [V, W]>> {
  const grouped = cogroup<K>([left, right], partitioner, shuffleId)
  return {
    ...grouped,
    name: 'join',
    compute: (partition, task, sink) =>
      grouped.compute(partition, task, ([key, [lefts, rights]]) => {
        for (const one of lefts!) for (const other of rights!) sink([key, [one as V, other as W]])
      }),
  }
}

interface Gathering {
  readonly dependencies: readonly Dependency[]
  /** For each key, one list of values per parent. */
  groups(partition: number, task: TaskContext): Promise<Map<Key, unknown[][]>>
}

function gathering(
  parents: readonly Lineage<Pair<Key, unknown>>[],
  partitioner: Partitioner,
  shuffleId: () => string,
): Gathering {
  const dependencies = parents.map(
    (parent): Dependency =>
      partitioner.equals(parent.partitioner)
        ? oneToOne(parent)
        : { kind: 'shuffle', id: shuffleId(), parent, partitioner, combiner: undefined },
  )
  return {
    dependencies,
    async groups(partition, task) {
      const groups = new Map<Key, unknown[][]>()
      for (let index = 0; index < parents.length; index++) {
        const add = (key: Key, value: unknown) => {
          let lists = groups.get(key)
          if (!lists) {
            lists = parents.map(() => [])
            groups.set(key, lists)
          }
          lists[index]!.push(value)
        }
        await pushPairs(dependencies[index]!, partition, task, add)
      }
      return groups
    },
  }
}

async function pushPairs(
  dependency: Dependency,
  partition: number,
  task: TaskContext,
  add: (key: Key, value: unknown) => void,
): Promise<void> {
  if (dependency.kind === 'narrow') {
    const parent = dependency.parent as Lineage<Pair<Key, unknown>>
    await parent.compute(partition, task, (pair) => add(pair[0], pair[1]))
    return
  }
  for (const { keys, values } of await task.readShuffle(dependency.id, partition)) {
    for (let at = 0; at < keys.length; at++) add(keys[at]!, values[at])
  }
}
