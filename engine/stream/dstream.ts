// DStream: an RDD for each batch, with Spark's operators. Making one computes nothing and touches no
// batch: a graph of streams asks each stream's plan for its RDD when a batch needs it. What a job
// builds here must depend on nothing but its code, because driver and executors build it each alone.

import type { StatefulOperator, WatermarkSpec } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { Key } from '../rdd/key.ts'
import type { Pair } from '../rdd/lineage.ts'
import type { Rdd, RddContext } from '../rdd/rdd.ts'
import type { StateOutputs } from '../state/keyedState.ts'
import type { StorableState } from '../state/storedValue.ts'
import type { BatchHistory, BatchInfo } from './batchHistory.ts'
import { EventStream } from './eventStream.ts'
import { type TimeOf, type WatermarkOptions, watermarkPlan } from './eventTime.ts'
import { inverseWindowOperator, type ReduceWindowOptions, shownWindow } from './inverseWindow.ts'
import type { Kept } from './keptValue.ts'
import { operatorPlan, outputPlan, tablePlan } from './keyedOperator.ts'
import {
  type MappedStream,
  type MapWithStateOptions,
  mapWithStateOperator,
  type StateMapping,
} from './mapWithState.ts'
import * as plans from './streamPlans.ts'
import {
  type StatefulProcessor,
  type TransformOptions,
  transformOperator,
} from './transformWithState.ts'
import {
  type StateUpdate,
  type UpdateStateOptions,
  updateStateOperator,
} from './updateStateByKey.ts'
import type { ViewNumber, ViewOptions, ViewValue } from './view.ts'
import { requireWindow } from './window.ts'

/** A batch as the plan of one stream sees it. */
export interface StreamBatch {
  readonly batch: BatchInfo
  readonly history: BatchHistory
  /** Where RDDs are made. Ids name the stream and batch that they are made for. */
  readonly context: RddContext
  /** A stream's RDD in this batch or an earlier one; undefined when it has none there. */
  rddOf<T>(stream: DStream<T>, batchId?: number): Rdd<T> | undefined
}

/** A stream before it has an id. */
export interface StreamPlan<T> {
  readonly name: string
  /** What of it a fingerprint must tell apart, beside its name and parents. */
  readonly detail?: string
  readonly parents: readonly DStream<unknown>[]
  readonly slideMs: number
  /** Of the rows of a topic: which one. */
  readonly topic?: string
  /** Each partition of its RDDs is made of one of its parents' partitions. */
  readonly isNarrow?: boolean
  /** How far back from a batch its parents' RDDs are asked for. */
  readonly rememberMs?: number
  /** The operator whose state the stream's RDDs advance. Such an RDD has `advance`. */
  readonly operator?: StatefulOperator
  /** Of a stream that gives its elements their event times. */
  readonly watermark?: WatermarkSpec
  /** Its elements are all entries of its parents' states, whatever the batch has touched. */
  readonly isTable?: boolean
  /** Its elements are handed out of what an operator has emitted: one pass for several readers saves nothing. */
  readonly isOutput?: boolean
  /** Its RDDs cannot be computed again later: the state has moved on by then. */
  readonly isStateful?: boolean
  rdd(batch: StreamBatch): Rdd<T> | undefined
}

export type Output =
  | {
      readonly kind: 'view'
      readonly stream: DStream<unknown>
      readonly name: string
      readonly options: ViewOptions
    }
  | {
      readonly kind: 'foreachRDD'
      readonly stream: DStream<unknown>
      run(rdd: Rdd<unknown>, batch: BatchInfo): void | Promise<void>
      /** See ForeachOptions. */
      readonly retryForMs: number
    }

/** How an output behaves. */
export interface ForeachOptions {
  /**
   * How long a function that throws is called again for the same batch, with pauses that grow to 5 s, before
   * the job fails; 0 unless given. For a system that is down for a while. Later batches wait meanwhile.
   */
  readonly retryForMs?: number
}

/** Where streams are made: the graph that a job builds. */
export interface StreamBuilder {
  readonly batchIntervalMs: number
  /** The next id, by construction order. */
  nextId(): number
  /** Called once for each new stream. */
  register(stream: DStream<unknown>): void
  addOutput(output: Output): void
  /** The name under which an operator's state is kept; by construction order unless given. */
  stateUid(kind: string, given: string | undefined): string
  /** The name of a watermark; by its topics unless given. */
  watermarkUid(topics: readonly string[], given: string | undefined): string
}

/**
 * Functions of a job must not change the elements that they are handed, as in Spark: where a stream has several
 * readers, these are handed the same ones.
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

  /** Hands over each partition of a batch as a whole: it must fit in memory. */
  mapPartitions<U>(
    transform: (elements: readonly T[], partition: number) => Iterable<U>,
  ): DStream<U> {
    return this.derive(plans.narrow('mapPartitions', this, (rdd) => rdd.mapPartitions(transform)))
  }

  /** Replaces each value, and leaves keys as they are. */
  mapValues<K extends Key, V, W>(
    this: DStream<Pair<K, V>>,
    transform: (value: V) => W,
  ): DStream<Pair<K, W>> {
    return this.derive(plans.narrow('mapValues', this, (rdd) => rdd.mapValues(transform)))
  }

  /** Any transformation of a batch's RDD. It runs wherever the graph is built: no side effects. */
  transform<U>(transform: (rdd: Rdd<T>, batch: BatchInfo) => Rdd<U>): DStream<U> {
    return this.derive(plans.narrow('transform', this, transform))
  }

  /** All elements of this stream and of `others`, batch by batch; duplicates stay. */
  union(...others: DStream<T>[]): DStream<T> {
    return this.derive(plans.union<T>([this, ...others]))
  }

  /** `reduce` must be associative and commutative, and not change its arguments. */
  // Numbers have a line of their own, so that `[word, 1] as const` counts as a number and not as 1.
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

  /** All values that a key has in a batch must fit in memory. */
  groupByKey<K extends Key, V>(this: DStream<Pair<K, V>>): DStream<Pair<K, readonly V[]>> {
    return this.derive(plans.perBatch('groupByKey', this, (rdd) => rdd.groupByKey()))
  }

  /**
   * Every pair of values that a key has on both sides in the same batch. Results of windows are in the batch in
   * which their watermark passed: those of two topics meet when the rows have been united before (see
   * EventStream.union), and so have one watermark.
   */
  join<K extends Key, V, W>(
    this: DStream<Pair<K, V>>,
    other: DStream<Pair<K, W>>,
  ): DStream<Pair<K, readonly [V, W]>> {
    return this.derive(plans.join(this, other))
  }

  /** One number for each batch, 0 for an empty one. */
  count(): DStream<number> {
    return this.derive(plans.perBatch('count', this, plans.countOf))
  }

  /**
   * All elements of the last `windowMs`, every `slideMs` (every batch, unless given). It counts the time of
   * the batches (processing time): for the times of the rows, see withWatermark.
   */
  window(windowMs: number, slideMs: number = this.slideMs): DStream<T> {
    this.#requireReplayable('window')
    return this.derive(plans.window<T>(this, windowMs, slideMs))
  }

  /**
   * The values of the last `windowMs` reduced by key, every `slideMs`. It counts the time of the batches
   * (processing time): for the times of the rows, see withWatermark.
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
   * A state for each key, made from the one before and the batch's values. `update` is called for each key
   * that has values in the batch (Spark calls it for every key that has a state), and a key whose state
   * becomes undefined is forgotten. The stream has all keys: what reads it, a view or foreachRDD, reads the
   * whole state, and a batch of which nobody does costs what it touches.
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
   * Maps each value of a key with the key's state at hand, and emits what is made of the values of the
   * batch. With `timeoutMs` the function is called once more, without a value, for a key that has been idle.
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
   * Runs a job's own operator: a state and processing-time timers for each key, and what it emits. For
   * timers in event time, see withWatermark.
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
   * The rows with their event times, and a watermark that follows them: what windows, timers and lateness in
   * event time go by. Only for rows of topics, by way of map, flatMap, filter, mapPartitions and union. A
   * time that is none is an error of the record.
   */
  withWatermark(timeOf: TimeOf<T>, options: WatermarkOptions): EventStream<T> {
    const plan = watermarkPlan(this, timeOf, options)
    const { uid, delayMs } = plan.watermark
    return new EventStream(this.derive(plan), { uids: [uid], delayMs })
  }

  /**
   * Runs in the driver, once a batch, and again when that batch has to be repeated: what it does must
   * bear that. Actions (collect, count, take, first) run on executors. The RDD may be transformed and
   * reduced as well, but in the driver's thread, to which its elements are sent: large work belongs in
   * the graph, before foreachRDD.
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
   * Shows a small result under a name that no other view of the job has: a number for each key, or a
   * single number. Other values need `value`, which says what number to show of one.
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
   * For operators: a stream of the same job.
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
      `${operator} reads earlier batches again, and a state is known for the newest batch only: ` +
        'put the window before the operator that keeps a state',
    )
  }
}

function requireRetryMs(retryForMs: number): void {
  if (Number.isSafeInteger(retryForMs) && retryForMs >= 0) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `foreachRDD takes retryForMs as a whole number of milliseconds from 0 on, not ${retryForMs}`,
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
