// Plans of the narrow transformations: each partition needs known partitions of its parents, and
// nothing is shuffled. Each plan wraps its parent's sink once per partition, never once per
// element.

import type { Key } from '../keys/key.ts'
import type { Partitioner } from '../keys/partitioner.ts'
import type { Sink } from '../sources/sink.ts'
import {
  type Dependency,
  type Lineage,
  type NarrowStep,
  oneToOne,
  type Pair,
  type TaskContext,
} from './lineage.ts'
import { computeChain } from './narrowChain.ts'

/** An RDD before it has an id. */
export interface RddPlan<T> {
  readonly name: string
  readonly partitionCount: number
  readonly dependencies: readonly Dependency[]
  readonly partitioner?: Partitioner | undefined
  compute(partition: number, task: TaskContext, sink: Sink<T>): void | Promise<void>
  affinity?: Lineage<T>['affinity']
  advance?: Lineage<T>['advance']
  range?: Lineage<T>['range']
  readonly step?: NarrowStep
  /** See Lineage; for a plan with a step, that of the parent. */
  readonly rejects?: boolean | undefined
}

export function map<T, U>(parent: Lineage<T>, transform: (element: T) => U): RddPlan<U> {
  return narrow('map', parent, (sink) => (element) => sink(transform(element)))
}

export function filter<T>(parent: Lineage<T>, keep: (element: T) => boolean): RddPlan<T> {
  const wrap = (sink: Sink<T>) => (element: T) => {
    if (keep(element)) sink(element)
  }
  return { ...narrow('filter', parent, wrap), partitioner: parent.partitioner }
}

export function flatMap<T, U>(
  parent: Lineage<T>,
  transform: (element: T) => Iterable<U>,
): RddPlan<U> {
  return narrow('flatMap', parent, (sink) => (element) => {
    const elements = transform(element)
    if (Array.isArray(elements)) for (let at = 0; at < elements.length; at++) sink(elements[at])
    else for (const each of elements) sink(each)
  })
}

/** Keeps the partitioner, because keys do not change. */
export function mapValues<K extends Key, V, W>(
  parent: Lineage<Pair<K, V>>,
  transform: (value: V) => W,
): RddPlan<Pair<K, W>> {
  const plan = narrow<Pair<K, V>, Pair<K, W>>(
    'mapValues',
    parent,
    (sink) => (pair) => sink([pair[0], transform(pair[1])]),
  )
  return { ...plan, partitioner: parent.partitioner }
}

/**
 * Passes a partition as a whole, so that all of its elements are held in memory. An exception
 * belongs to no single record: it fails the task, whatever the policy of the source is.
 */
export function mapPartitions<T, U>(
  parent: Lineage<T>,
  transform: (elements: readonly T[], partition: number) => Iterable<U>,
): RddPlan<U> {
  return {
    name: 'mapPartitions',
    partitionCount: parent.partitionCount,
    dependencies: [oneToOne(parent)],
    async compute(partition, task, sink) {
      const elements: T[] = []
      await parent.compute(partition, task, (element) => elements.push(element))
      for (const each of transform(elements, partition)) sink(each)
    },
  }
}

/**
 * All elements of all parents. Parents with equal partitioners are merged partition by partition,
 * so that the union of a window's batches needs no second shuffle; others are appended.
 */
export function union<T>(parents: readonly Lineage<T>[]): RddPlan<T> {
  const shared = sharedPartitioner(parents)
  return shared ? overlaid(parents, shared) : sideBySide(parents)
}

/** The partitioner that all parents share, if any. */
function sharedPartitioner(parents: readonly Lineage<unknown>[]): Partitioner | undefined {
  const first = parents[0]?.partitioner
  return first && parents.every((parent) => first.equals(parent.partitioner)) ? first : undefined
}

function overlaid<T>(parents: readonly Lineage<T>[], partitioner: Partitioner): RddPlan<T> {
  return {
    name: 'union',
    partitionCount: partitioner.partitionCount,
    dependencies: parents.map(oneToOne),
    partitioner,
    rejects: parents.some(({ rejects }) => rejects),
    async compute(partition, task, sink) {
      for (const parent of parents) await parent.compute(partition, task, sink)
    },
  }
}

function sideBySide<T>(parents: readonly Lineage<T>[]): RddPlan<T> {
  const first: number[] = []
  let partitionCount = 0
  for (const parent of parents) {
    first.push(partitionCount)
    partitionCount += parent.partitionCount
  }
  const parentOf = (index: number, partition: number) => {
    const within = partition - first[index]!
    return within >= 0 && within < parents[index]!.partitionCount ? within : undefined
  }
  return {
    name: 'union',
    partitionCount,
    dependencies: parents.map((parent, index) => ({
      kind: 'narrow',
      parent,
      parentOf: (partition) => parentOf(index, partition),
    })),
    rejects: parents.some(({ rejects }) => rejects),
    compute(partition, task, sink) {
      for (let index = 0; index < parents.length; index++) {
        const within = parentOf(index, partition)
        if (within !== undefined) return parents[index]!.compute(within, task, sink)
      }
    },
  }
}

/** A parent read by several RDDs: tasks that run together compute its partitions only once. */
export function shared<T>(parent: Lineage<T>): RddPlan<T> {
  return {
    name: 'shared',
    partitionCount: parent.partitionCount,
    dependencies: [oneToOne(parent)],
    partitioner: parent.partitioner,
    rejects: parent.rejects,
    compute: (partition, task, sink) =>
      task.share ? task.share(parent, partition, sink) : parent.compute(partition, task, sink),
  }
}

function narrow<T, U>(
  name: string,
  parent: Lineage<T>,
  wrap: (sink: Sink<U>) => Sink<T>,
): RddPlan<U> {
  const step = { parent, wrap } as NarrowStep
  return {
    name,
    partitionCount: parent.partitionCount,
    dependencies: [oneToOne(parent)],
    step,
    compute: (partition, task, sink) => computeChain(step, partition, task, sink as Sink<unknown>),
  }
}
