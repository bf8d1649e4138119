// Rdd: a partitioned collection that knows how to compute itself, with Spark's operators. Creating
// one computes nothing; an action (collect, count, ...) does, wherever its context runs tasks.

import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import { HashPartitioner, type Partitioner } from '../keys/partitioner.ts'
import type { Sink } from '../sources/sink.ts'
import type { Action } from './action.ts'
import type { Dependency, Lineage, NarrowStep, Pair, TaskContext } from './lineage.ts'
import * as narrow from './narrow.ts'
import * as shuffled from './shuffled.ts'

/** Creates and runs RDDs: a batch of a stream, or a separate program (localContext). */
export interface RddContext {
  /** Default number of partitions of a shuffle. */
  readonly defaultPartitions: number
  /** The partitioner of shuffles; Spark's HashPartitioner by default. */
  partitioner?(partitions: number): Partitioner
  /** Returns the next id, in order of construction. Throws where RDDs must not be created. */
  nextId(): string
  /** Called once for each new RDD. */
  register(rdd: Lineage<unknown>): void
  /**
   * Returns the RDD on which transformations of `rdd` are built; itself by default. In foreachRDD
   * it is an RDD of the driver, because executors do not know the functions created there.
   */
  asParent?<T>(rdd: Rdd<T>): Rdd<T>
  /** Runs an action on the given partitions (all by default); returns one result for each. */
  run(rdd: Lineage<unknown>, action: Action, partitions?: readonly number[]): Promise<unknown[]>
}

/**
 * Limits the depth of the call stack. Chains of narrow operators do not count (see narrowChain).
 */
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

  /** Passes each partition as a whole; its elements must fit in memory. */
  mapPartitions<U>(transform: (elements: readonly T[], partition: number) => Iterable<U>): Rdd<U> {
    const parent = this.#parent
    return parent.#derive(narrow.mapPartitions(parent, transform))
  }

  /** All elements of this RDD and of `others`, including duplicates. */
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

  /** Replaces each value; keys and partitions are unchanged. */
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

  /** All values of a key must fit in memory. Prefer reduceByKey where possible. */
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

  /** Returns all elements, in the order of the partitions. They must fit in memory. */
  async collect(): Promise<T[]> {
    return ((await this.context.run(this, { kind: 'collect' })) as T[][]).flat(1)
  }

  /** Returns the number of elements. */
  async count(): Promise<number> {
    const counts = (await this.context.run(this, { kind: 'count' })) as number[]
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** Returns undefined for an empty RDD. `combine` must be associative and commutative. */
  async reduce(combine: (left: T, right: T) => T): Promise<T | undefined> {
    const partial = this.mapPartitions((elements) =>
      elements.length === 0 ? [] : [elements.reduce((left, right) => combine(left, right))],
    )
    const partials = await partial.collect()
    return partials.length === 0
      ? undefined
      : partials.reduce((left, right) => combine(left, right))
  }

  /** Returns the first `limit` elements, running no more partitions than necessary. */
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

  /** Returns the first element; undefined for an empty RDD. */
  async first(): Promise<T | undefined> {
    return (await this.take(1))[0]
  }

  #derive<U>(plan: narrow.RddPlan<U>): Rdd<U> {
    return new Rdd(this.context, plan)
  }

  /** The RDD on which transformations of this one are built (see RddContext). */
  get #parent(): Rdd<T> {
    return this.context.asParent?.(this) ?? this
  }

  /** Returns this RDD as another parent beside `first`; throws when they cannot be combined. */
  #beside(first: Rdd<unknown>): Rdd<T> {
    const parent = this.#parent
    if (parent.context === first.context) return parent
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      'two RDDs can be joined or united only within the same batch; keep no RDD for later',
    )
  }

  /**
   * As in Spark: a parent's partitioner if there is one, so that the parent need not be shuffled.
   */
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
    `${name} nests more than ${mostNestedOperators} operators; unite many RDDs in one union(a, b, ...), ` +
      'and move repeated work into one function (chains of map, filter and flatMap have no limit)',
  )
}
