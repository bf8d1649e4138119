// DStream: one RDD per batch, with Spark's operators. Creating a stream computes nothing: a stream
// graph asks the stream's plan for its RDD when a batch needs it. Contract: what a job builds here
// must depend only on its code, because driver and executors build it separately. An operator must
// never keep state outside of its plan.

import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import type { Pair } from '../rdd/lineage.ts'
import type { Rdd } from '../rdd/rdd.ts'
import type { StateOutputs } from '../state/keyedState.ts'
import type { StorableState } from '../state/storedValue.ts'
import type { BatchInfo } from './batchHistory.ts'
import { EventStream } from './eventStream.ts'
import { type TimeOf, type WatermarkOptions, watermarkPlan } from './eventTime.ts'
import type { Kept } from './operators/keptValue.ts'
import { operatorPlan, outputPlan, tablePlan } from './operators/keyedOperator.ts'
import {
  type MapWithStateOptions,
  mapWithStateOperator,
  type StateMapping,
} from './operators/mapWithState.ts'
import {
  type StatefulProcessor,
  type TransformOptions,
  transformOperator,
} from './operators/transformWithState.ts'
import {
  type StateUpdate,
  type UpdateStateOptions,
  updateStateOperator,
} from './operators/updateStateByKey.ts'
import type { StreamBuilder, StreamPlan } from './streamPlan.ts'
import * as plans from './streamPlans.ts'
import type { ViewNumber, ViewOptions, ViewValue } from './view.ts'
import {
  inverseWindowOperator,
  type ReduceWindowOptions,
  shownWindow,
} from './windows/inverseWindow.ts'
import { requireWindow } from './windows/window.ts'

/** Options of foreachRDD. */
export interface ForeachOptions {
  /**
   * Time during which a function that throws is retried for the same batch, with pauses that grow
   * to 5 s, before the job fails; in ms, 0 by default. For a system that is temporarily down. Later
   * batches wait.
   */
  readonly retryForMs?: number
}

/** Return values of the function, for each key in the order of its values. */
export interface MappedStream<K extends Key, S, M> extends DStream<M> {
  /** All keys with their states as of each batch. */
  stateSnapshots(): DStream<Pair<K, S>>
}

/**
 * A stream of RDDs, one per batch, with Spark's operators. As in Spark, functions of a job must not
 * change the elements that they receive: several readers of a stream receive the same ones.
 */
export class DStream<T> {
  /** @internal */
  readonly id: number
  /** @internal */
  readonly builder: StreamBuilder
  /** @internal */
  readonly plan: StreamPlan<T>
  /** @internal */
  readonly isStateful: boolean

  constructor(builder: StreamBuilder, plan: StreamPlan<T>) {
    this.id = builder.nextId()
    this.builder = builder
    this.plan = plan
    this.isStateful = plan.isStateful || plan.parents.some((parent) => parent.isStateful)
    builder.register(this)
  }

  get slideMs(): number {
    return this.plan.slideMs
  }

  /** Replaces each element. */
  map<U>(transform: (element: T) => U): DStream<U> {
    return this.derive(plans.narrow('map', this, (rdd) => rdd.map(transform)))
  }

  /** Replaces each element by any number of elements. */
  flatMap<U>(transform: (element: T) => Iterable<U>): DStream<U> {
    return this.derive(plans.narrow('flatMap', this, (rdd) => rdd.flatMap(transform)))
  }

  /** Keeps the elements for which `keep` is true. */
  filter<S extends T>(keep: (element: T) => element is S): DStream<S>
  /** Keeps the elements for which `keep` is true. */
  filter(keep: (element: T) => boolean): DStream<T>
  filter(keep: (element: T) => boolean): DStream<T> {
    return this.derive(plans.narrow('filter', this, (rdd) => rdd.filter(keep)))
  }

  /** Passes each partition of a batch as a whole; it must fit in memory. */
  mapPartitions<U>(
    transform: (elements: readonly T[], partition: number) => Iterable<U>,
  ): DStream<U> {
    return this.derive(plans.narrow('mapPartitions', this, (rdd) => rdd.mapPartitions(transform)))
  }

  /** Replaces each value; keys are unchanged. */
  mapValues<K extends Key, V, W>(
    this: DStream<Pair<K, V>>,
    transform: (value: V) => W,
  ): DStream<Pair<K, W>> {
    return this.derive(plans.narrow('mapValues', this, (rdd) => rdd.mapValues(transform)))
  }

  /**
   * Applies any transformation to a batch's RDD. Runs wherever the graph is built, so without side
   * effects.
   */
  transform<U>(transform: (rdd: Rdd<T>, batch: BatchInfo) => Rdd<U>): DStream<U> {
    return this.derive(plans.narrow('transform', this, transform))
  }

  /** All elements of this stream and of `others`, batch by batch, including duplicates. */
  union(...others: DStream<T>[]): DStream<T> {
    return this.derive(plans.union<T>([this, ...others]))
  }

  /** `reduce` must be associative and commutative, and must not change its arguments. */
  // Numbers have an overload of their own, so that `[word, 1] as const` is typed as a number, not
  // as 1.
  reduceByKey<K extends Key>(
    this: DStream<Pair<K, number>>,
    reduce: (left: number, right: number) => number,
  ): DStream<Pair<K, number>>
  reduceByKey<K extends Key, V>(
    this: DStream<Pair<K, V>>,
    reduce: (left: V, right: V) => V,
  ): DStream<Pair<K, V>>
  reduceByKey<K extends Key, V>(
    this: DStream<Pair<K, V>>,
    reduce: (left: V, right: V) => V,
  ): DStream<Pair<K, V>> {
    return this.derive(plans.perBatch('reduceByKey', this, (rdd) => rdd.reduceByKey(reduce)))
  }

  /** All values of a key in a batch must fit in memory. */
  groupByKey<K extends Key, V>(this: DStream<Pair<K, V>>): DStream<Pair<K, readonly V[]>> {
    return this.derive(plans.perBatch('groupByKey', this, (rdd) => rdd.groupByKey()))
  }

  /**
   * Every pair of values that a key has on both sides in the same batch. Results of windows arrive
   * in the batch in which their watermark passes; to join those of two topics, first unite the rows
   * (see EventStream.union), so that they share one watermark.
   */
  join<K extends Key, V, W>(
    this: DStream<Pair<K, V>>,
    other: DStream<Pair<K, W>>,
  ): DStream<Pair<K, readonly [V, W]>> {
    return this.derive(plans.join(this, other))
  }

  /** One number per batch, 0 for an empty one. */
  count(): DStream<number> {
    return this.derive(plans.perBatch('count', this, plans.countOf))
  }

  /**
   * All elements of the last `windowMs`, every `slideMs` (every batch by default), in processing
   * time, which is the time of the batches. For windows by the times of rows, see withWatermark.
   */
  window(windowMs: number, slideMs: number = this.slideMs): DStream<T> {
    this.#requireReplayable('window')
    return this.derive(plans.window<T>(this, windowMs, slideMs))
  }

  /**
   * The values of the last `windowMs` reduced by key, every `slideMs`, in processing time, which is
   * the time of the batches. For windows by the times of rows, see withWatermark.
   */
  reduceByKeyAndWindow<K extends Key>(
    this: DStream<Pair<K, number>>,
    reduce: (left: number, right: number) => number,
    windowMs: number,
    slideMs?: number,
    options?: ReduceWindowOptions<K, number>,
  ): DStream<Pair<K, number>>
  reduceByKeyAndWindow<K extends Key, V>(
    this: DStream<Pair<K, V>>,
    reduce: (left: V, right: V) => V,
    windowMs: number,
    slideMs?: number,
    options?: ReduceWindowOptions<K, V>,
  ): DStream<Pair<K, V>>
  reduceByKeyAndWindow<K extends Key, V>(
    this: DStream<Pair<K, V>>,
    reduce: (left: V, right: V) => V,
    windowMs: number,
    slideMs: number = this.slideMs,
    options: ReduceWindowOptions<K, V> = {},
  ): DStream<Pair<K, V>> {
    const { inverse, filter } = options
    if (inverse === undefined) {
      this.#requireReplayable('reduceByKeyAndWindow')
      const windowed = this.reduceByKey(reduce).window(windowMs, slideMs).reduceByKey(reduce)
      return filter === undefined ? windowed : windowed.filter(([key, value]) => filter(value, key))
    }
    requireWindow(windowMs, slideMs, this.slideMs)
    const operator = this.derive(
      operatorPlan(
        this,
        inverseWindowOperator<K, V>(
          this.builder,
          { reduce, inverse },
          { ...options, windowMs, slideMs },
        ),
        { arrived: plans.reducedBy(this, reduce) },
      ),
    )
    return this.derive(
      tablePlan(operator, {
        name: 'reduceByKeyAndWindow',
        slideMs,
        isDue: (at) => plans.isDueIn(at, slideMs),
        isKeyed: true,
        entries: shownWindow(filter),
      }),
    )
  }

  /**
   * A state per key, computed from the previous one and the values of the batch. `update` is called
   * for each key with values in the batch (Spark calls it for every key with a state). A key whose
   * state becomes undefined is removed. The stream contains all keys: a view or foreachRDD on it
   * reads the whole state, and a batch without such a reader costs only what it touches.
   */
  updateStateByKey<K extends Key, V, S>(
    this: DStream<Pair<K, V>>,
    update: StateUpdate<V, S> & StorableState<S>,
    options: UpdateStateOptions<K, S> = {},
  ): DStream<Pair<K, S>> {
    return keptStates<K, S>(
      this.derive(
        operatorPlan(this, updateStateOperator<K, V, S>(this.builder, update, options), {
          arrived: plans.groupedBy(this),
        }),
      ),
      'updateStateByKey',
    )
  }

  /**
   * Maps each value of a key, with access to the key's state, and emits the results for the values
   * of the batch. With `timeoutMs`, the function is called once more, without a value, for an idle
   * key.
   */
  mapWithState<K extends Key, V, S, M>(
    this: DStream<Pair<K, V>>,
    map: StateMapping<K, V, S, M> & StorableState<S>,
    options: MapWithStateOptions<K, S> = {},
  ): MappedStream<K, S, M> {
    const operator = this.derive(
      operatorPlan(this, mapWithStateOperator<K, V, S, M>(this.builder, map, options), {
        arrived: plans.groupedBy(this),
      }),
    )
    return Object.assign(this.derive(outputPlan<M>(operator, 'main')), {
      stateSnapshots: () => keptStates<K, S>(operator, 'stateSnapshots'),
    })
  }

  /**
   * Runs a custom operator: a state and processing time timers per key, and its output. For event
   * time timers, see withWatermark.
   */
  transformWithState<K extends Key, V, S, O>(
    this: DStream<Pair<K, V>>,
    processor: StatefulProcessor<K, V, S, O> & StorableState<S>,
    options: TransformOptions<K, S> = {},
  ): DStream<O> {
    const operator = this.derive(
      operatorPlan(this, transformOperator<K, V, S, O>(this.builder, processor, options), {
        arrived: plans.groupedBy(this),
      }),
    )
    return this.derive(outputPlan<O>(operator, 'main'))
  }

  /**
   * Assigns event times to the rows, and a watermark that follows them: the basis of event time
   * windows, timers and lateness. Only for rows of topics, through map, flatMap, filter,
   * mapPartitions and union. An invalid time is an error of the record.
   */
  withWatermark(timeOf: TimeOf<T>, options: WatermarkOptions): EventStream<T> {
    const plan = watermarkPlan(this, timeOf, options)
    const { uid, delayMs } = plan.watermark
    return new EventStream(this.derive(plan), { uids: [uid], delayMs })
  }

  /**
   * Runs a function in the driver, once per batch, and again when the batch is rerun: it must be
   * idempotent. Actions (collect, count, take, first) run on executors. The RDD may also be
   * transformed and reduced, but in the driver's thread, to which its elements are sent; large work
   * belongs in the graph, before foreachRDD.
   */
  foreachRDD(
    run: (rdd: Rdd<T>, batch: BatchInfo) => void | Promise<void>,
    { retryForMs = 0 }: ForeachOptions = {},
  ): void {
    requireRetryMs(retryForMs)
    this.builder.addOutput({
      kind: 'foreachRDD',
      stream: this,
      retryForMs,
      run: run as (rdd: Rdd<unknown>, batch: BatchInfo) => void | Promise<void>,
    })
  }

  /**
   * Shows a small result under a name that is unique in the job: a number per key, or a single
   * number. For other values, the option `value` returns the number to show.
   */
  view(this: DStream<ViewNumber>, name: string, options?: ViewOptions): void
  view<K extends Key>(this: DStream<Pair<K, ViewNumber>>, name: string, options?: ViewOptions): void
  view<K extends Key, V>(
    this: DStream<Pair<K, V>>,
    name: string,
    options: ViewOptions & ViewValue<K, V>,
  ): void
  view(name: string, { value, ...options }: ViewOptions & Partial<ViewValue<never, never>> = {}) {
    const pairs = this as unknown as DStream<Pair<never, never>>
    const shown: DStream<unknown> =
      value === undefined ? this : pairs.map(([key, of]) => [key, value(of, key)] as const)
    this.builder.addOutput({ kind: 'view', stream: shown, name, options })
  }

  /**
   * Creates a stream of the same job. For operators.
   *
   * @internal
   */
  derive<U>(plan: StreamPlan<U>): DStream<U> {
    return new DStream(this.builder, plan)
  }

  #requireReplayable(operator: string): void {
    if (!this.isStateful) return
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `${operator} reads earlier batches again, but a state exists only for the newest batch; ` +
        'put the window before the stateful operator',
    )
  }
}

function requireRetryMs(retryForMs: number): void {
  if (Number.isSafeInteger(retryForMs) && retryForMs >= 0) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `retryForMs of foreachRDD must be an integer of at least 0, not ${retryForMs}`,
  )
}

/** All keys with their values, which stay in the partitions of the state. */
function keptStates<K extends Key, S>(
  operator: DStream<StateOutputs>,
  name: string,
): DStream<Pair<K, S>> {
  const entries = (key: K, [state]: Kept<S>): Pair<K, S>[] => [[key, state]]
  return operator.derive(tablePlan(operator, { name, isKeyed: true, entries }))
}
