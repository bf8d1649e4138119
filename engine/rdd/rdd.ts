// Rdd: a partitioned collection that knows how to compute itself, with Spark's operators. Making one
// computes nothing; an action (collect, count, ...) does, wherever its context runs tasks.

import { EngineError } from '../engineError.ts'
import type { Action } from './action.ts'
import type { Key } from './key.ts'
import type { Dependency, Lineage, NarrowStep, Pair, Sink, TaskContext } from './lineage.ts'
import * as narrow from './narrow.ts'
import { HashPartitioner, type Partitioner } from './partitioner.ts'
import * as shuffled from './shuffled.ts'

/** Where RDDs are made and run: a batch of a stream, or a program of its own (localContext). */
export interface RddContext {
  /** How many partitions a shuffle makes unless it is told. */
  readonly defaultPartitions: number
  /** What shuffles partition by; a HashPartitioner, as Spark's, unless given. */
  partitioner?(partitions: number): Partitioner
  /** The next id, by construction order. Throws where no RDD may be made. */
  nextId(): string
  /** Called once for each new RDD. */
  register(rdd: Lineage<unknown>): void
  /**
   * The RDD that new ones are made of when one is transformed: itself, unless given. In foreachRDD it is
   * one in the driver, because executors do not know what is made there.
   */
  asParent?<T>(rdd: Rdd<T>): Rdd<T>
  /** Runs an action on the partitions given (all of them unless told), one result for each. */
  run(rdd: Lineage<unknown>, action: Action, partitions?: readonly number[]): Promise<unknown[]>
}

/** Bounds the depth of the call stack; chains of narrow operators need none of it (see narrowChain). */
const mostNestedOperators = 500

/**
 * A partitioned collection that knows how to compute itself, with Spark's operators. Only an action
 * (`collect`, `count`, `reduce`, `take`, `first`) computes anything.
 */
export class Rdd<T> implements Lineage<T> {
  /** @internal */
  readonly id: string
  /** @internal */
  readonly name: string
  /** @internal */
  readonly partitionCount: number
  /** @internal */
  readonly dependencies: readonly Dependency[]
  /** @internal */
  readonly partitioner: Partitioner | undefined
  /** @internal */
  readonly context: RddContext
  /** @internal */
  readonly step: NarrowStep | undefined
  /** @internal */
  readonly rejects: boolean
  /** @internal */
  readonly depth: number
  /** @internal */
  declare readonly advance?: NonNullable<Lineage<T>['advance']>
  readonly #plan: narrow.RddPlan<T>

  constructor(context: RddContext, plan: narrow.RddPlan<T>) {
    this.id = context.nextId()
    this.context = context
    this.name = plan.name
    this.partitionCount = plan.partitionCount
    this.dependencies = plan.dependencies
    this.partitioner = plan.partitioner
    this.step = plan.step
    this.rejects = plan.rejects ?? plan.step?.parent.rejects ?? false
    this.depth = depthOf(plan)
    if (plan.advance) this.advance = plan.advance.bind(plan)
    this.#plan = plan
    context.register(this)
  }

  /** @internal */
  compute(partition: number, task: TaskContext, sink: Sink<T>): void | Promise<void> {
    return this.#plan.compute(partition, task, sink)
  }

  /** @internal */
  affinity(partition: number) {
    return this.#plan.affinity?.(partition)
  }

  /** @internal */
  range(partition: number) {
    return this.#plan.range?.(partition)
  }

  /** Replaces each element. */
  map<U>(transform: (element: T) => U): Rdd<U> {
    const parent = this.#parent
    return parent.#derive(narrow.map(parent, transform))
  }

  /** Replaces each element by any number of elements. */
  flatMap<U>(transform: (element: T) => Iterable<U>): Rdd<U> {
    const parent = this.#parent
    return parent.#derive(narrow.flatMap(parent, transform))
  }

  /** Keeps the elements for which `keep` is true. */
  filter<S extends T>(keep: (element: T) => element is S): Rdd<S>
  /** Keeps the elements for which `keep` is true. */
  filter(keep: (element: T) => boolean): Rdd<T>
  filter(keep: (element: T) => boolean): Rdd<T> {
    const parent = this.#parent
    return parent.#derive(narrow.filter(parent, keep))
  }

  /** Hands over each partition as a whole: its elements must fit in memory. */
  mapPartitions<U>(transform: (elements: readonly T[], partition: number) => Iterable<U>): Rdd<U> {
    const parent = this.#parent
    return parent.#derive(narrow.mapPartitions(parent, transform))
  }

  /** All elements of this RDD and of `others`; duplicates stay. */
  union(...others: Rdd<T>[]): Rdd<T> {
    const parent = this.#parent
    return parent.#derive(
      narrow.union<T>([parent, ...others.map((other) => other.#beside(parent))]),
    )
  }

  /** Pairs each element with its key. */
  keyBy<K extends Key>(keyOf: (element: T) => K): Rdd<Pair<K, T>> {
    return this.map((element) => [keyOf(element), element] as const)
  }

  /** Replaces each value, and leaves keys and partitions as they are. */
  mapValues<K extends Key, V, W>(
    this: Rdd<Pair<K, V>>,
    transform: (value: V) => W,
  ): Rdd<Pair<K, W>> {
    const parent = this.#parent
    return parent.#derive(narrow.mapValues(parent, transform))
  }

  /** The key of each pair. */
  keys<K extends Key>(this: Rdd<Pair<K, unknown>>): Rdd<K> {
    return this.map((pair) => pair[0])
  }

  /** The value of each pair. */
  values<V>(this: Rdd<Pair<Key, V>>): Rdd<V> {
    return this.map((pair) => pair[1])
  }

  /** `reduce` must be associative and commutative: it runs on both sides of the shuffle. */
  reduceByKey<K extends Key>(
    this: Rdd<Pair<K, number>>,
    reduce: (left: number, right: number) => number,
    partitions?: number,
  ): Rdd<Pair<K, number>>
  reduceByKey<K extends Key, V>(
    this: Rdd<Pair<K, V>>,
    reduce: (left: V, right: V) => V,
    partitions?: number,
  ): Rdd<Pair<K, V>>
  reduceByKey<K extends Key, V>(
    this: Rdd<Pair<K, V>>,
    reduce: (left: V, right: V) => V,
    partitions?: number,
  ): Rdd<Pair<K, V>> {
    const parent = this.#parent
    const partitioner = parent.#partitionerFor([parent], partitions)
    return parent.#derive(shuffled.reduceByKey(parent, reduce, partitioner, parent.#shuffleId))
  }

  /** All values of a key must fit in memory; prefer reduceByKey where it says the same. */
  groupByKey<K extends Key, V>(
    this: Rdd<Pair<K, V>>,
    partitions?: number,
  ): Rdd<Pair<K, readonly V[]>> {
    const parent = this.#parent
    const partitioner = parent.#partitionerFor([parent], partitions)
    return parent.#derive(shuffled.groupByKey(parent, partitioner, parent.#shuffleId))
  }

  /** All values of each key, on both sides. They must fit in memory. */
  cogroup<K extends Key, V, W>(
    this: Rdd<Pair<K, V>>,
    other: Rdd<Pair<K, W>>,
    partitions?: number,
  ): Rdd<Pair<K, readonly [readonly V[], readonly W[]]>> {
    const left = this.#parent
    const right = other.#beside(left)
    const partitioner = left.#partitionerFor([left, right], partitions)
    return left.#derive(
      shuffled.cogroup<K>([left, right], partitioner, left.#shuffleId) as narrow.RddPlan<
        Pair<K, readonly [V[], W[]]>
      >,
    )
  }

  /** Each pair of values that two RDDs have for a key. */
  join<K extends Key, V, W>(
    this: Rdd<Pair<K, V>>,
    other: Rdd<Pair<K, W>>,
    partitions?: number,
  ): Rdd<Pair<K, readonly [V, W]>> {
    const left = this.#parent
    const right = other.#beside(left)
    const partitioner = left.#partitionerFor([left, right], partitions)
    return left.#derive(shuffled.join(left, right, partitioner, left.#shuffleId))
  }

  /** All elements, in the order of the partitions. They must fit in memory. */
  async collect(): Promise<T[]> {
    return ((await this.context.run(this, { kind: 'collect' })) as T[][]).flat(1)
  }

  /** The number of elements. */
  async count(): Promise<number> {
    const counts = (await this.context.run(this, { kind: 'count' })) as number[]
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** Undefined when there are no elements. `combine` must be associative and commutative. */
  async reduce(combine: (left: T, right: T) => T): Promise<T | undefined> {
    const partial = this.mapPartitions((elements) =>
      elements.length === 0 ? [] : [elements.reduce((left, right) => combine(left, right))],
    )
    const partials = await partial.collect()
    return partials.length === 0
      ? undefined
      : partials.reduce((left, right) => combine(left, right))
  }

  /** The first `limit` elements, running no more partitions than it takes. */
  async take(limit: number): Promise<T[]> {
    let taken: T[] = []
    for (let next = 0, width = 1; next < this.partitionCount && taken.length < limit; width *= 4) {
      const until = Math.min(this.partitionCount, next + width)
      const partitions = Array.from({ length: until - next }, (_, at) => next + at)
      const action = { kind: 'collect', limit: limit - taken.length } as const
      const found = (await this.context.run(this, action, partitions)) as T[][]
      taken = taken.concat(...found)
      next = until
    }
    return taken.slice(0, limit)
  }

  /** The first element; undefined when there is none. */
  async first(): Promise<T | undefined> {
    return (await this.take(1))[0]
  }

  #derive<U>(plan: narrow.RddPlan<U>): Rdd<U> {
    return new Rdd(this.context, plan)
  }

  /** The RDD that transformations of this one are made of (see RddContext). */
  get #parent(): Rdd<T> {
    return this.context.asParent?.(this) ?? this
  }

  /** Returns this RDD as another parent beside `first`; throws when they cannot be parents of one RDD. */
  #beside(first: Rdd<unknown>): Rdd<T> {
    const parent = this.#parent
    if (parent.context === first.context) return parent
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      'two RDDs can be joined or united only when they are of the same batch: keep no RDD for later',
    )
  }

  /** As Spark's default: a parent's partitioner where there is one, so that it need not move. */
  #partitionerFor(parents: readonly Lineage<unknown>[], partitions?: number): Partitioner {
    const inherited = parents.find((parent) => parent.partitioner)?.partitioner
    if (inherited && (partitions ?? inherited.partitionCount) === inherited.partitionCount) {
      return inherited
    }
    const { context } = this
    const count = partitions ?? context.defaultPartitions
    return context.partitioner?.(count) ?? new HashPartitioner(count)
  }

  readonly #shuffleId = (): string => `shuffle-${this.context.nextId()}`
}

function depthOf({ name, step, dependencies }: narrow.RddPlan<unknown>): number {
  let deepest = 0
  for (const dependency of dependencies) {
    if (dependency.kind === 'narrow') deepest = Math.max(deepest, dependency.parent.depth ?? 1)
  }
  const depth = step ? deepest : deepest + 1
  if (depth <= mostNestedOperators) return depth
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `${name} nests more than ${mostNestedOperators} operators: unite many RDDs in one union(a, b, ...), ` +
      'and put what is repeated into one function (map, filter and flatMap may be chained at any length)',
  )
}
