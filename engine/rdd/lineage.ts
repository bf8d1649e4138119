// The contract of an RDD: its partitions, what it depends on, and how a partition is computed from
// its parents' partitions. The scheduler and the executors know RDDs by this alone.
//
// Evaluation is push-style: `compute` hands each element to a sink. A chain of narrow operators is
// so one nest of plain function calls, without an iterator, a promise or an array per element; a
// promise appears only where bytes are waited for.

import type { StatefulOperator } from '../contract/statefulOperator.ts'
import type { OffsetRange, RejectedRecord, Scan } from '../sources/scan.ts'
import type { KeyedState, StateOutputs } from '../state/keyedState.ts'
import type { StateSize } from '../state/stateVersion.ts'
import type { Key } from './key.ts'
import type { Partitioner } from './partitioner.ts'

export type Sink<T> = (element: T) => void
/** A keyed element. */
export type Pair<K extends Key, V> = readonly [key: K, value: V]

export interface Lineage<T> {
  /** The same in the driver and in every executor that builds the same graph. */
  readonly id: string
  readonly name: string
  readonly partitionCount: number
  readonly dependencies: readonly Dependency[]
  readonly partitioner: Partitioner | undefined
  /** Pushes every element of one partition into `sink`, in an order that never changes. */
  compute(partition: number, task: TaskContext, sink: Sink<T>): void | Promise<void>
  /** Where the work belongs, when it belongs somewhere. */
  affinity?(partition: number): Affinity | undefined
  /** Set when an element depends on one element of one parent: such operators run as a chain. */
  readonly step?: NarrowStep | undefined
  /**
   * True when its elements come straight from records (over no shuffle or mapPartitions) of which some
   * source leaves out those that fail: chains of operators behind it guard themselves (see narrowChain).
   */
  readonly rejects?: boolean | undefined
  /** Calls into one another that `compute` makes before it reaches a root or a shuffle; 1 if not set. */
  readonly depth?: number
  /**
   * Only of a stateful operator: brings the state of a partition to the batch that runs, without emitting
   * anything.
   */
  advance?(partition: number, task: TaskContext): Promise<Advanced>
  /** The offsets that a partition of a root is read from. */
  range?(partition: number): OffsetRange | undefined
}

/** What a stateful operator says of one partition after a batch. */
export interface Advanced {
  /** Id of the newest batch that changed the state; -1 for none. */
  readonly changedIn: number
  /** Rows of the batch that came too late to count. */
  readonly lateRows: number
  /** Of the state; undefined when an earlier release has written it. */
  readonly size: StateSize | undefined
}

/** An operator that makes of each element of its parent any number of elements, one after another. */
export interface NarrowStep {
  readonly parent: Lineage<unknown>
  /** The sink for the parent's elements, made once per partition. */
  wrap(sink: Sink<unknown>): Sink<unknown>
}

/**
 * Where a task should run. `state` is binding: the partition's stores are open in one executor.
 * `source` is a wish: reading one topic partition in one place lets several tasks share the scan.
 */
export interface Affinity {
  readonly kind: 'state' | 'source'
  readonly slot: number
}

export type Dependency = NarrowDependency | ShuffleDependency

/** Each partition needs a few known partitions of the parent, and is computed in the same task. */
export interface NarrowDependency {
  readonly kind: 'narrow'
  readonly parent: Lineage<unknown>
  /** The parent's partition that `partition` reads; undefined when it reads none of this parent. */
  parentOf(partition: number): number | undefined
}

/** Each partition needs a bucket from every partition of the parent: a stage ends here. */
export interface ShuffleDependency {
  readonly kind: 'shuffle'
  readonly id: string
  readonly parent: Lineage<Pair<Key, unknown>>
  readonly partitioner: Partitioner
  /** When given, values of one key are combined before they leave the map task. */
  readonly combiner: Combiner | undefined
}

/** How values of one key come together. `undefined` is never handed in as a combined value. */
export interface Combiner {
  create(value: unknown): unknown
  mergeValue(combined: unknown, value: unknown): unknown
  mergeCombined(left: unknown, right: unknown): unknown
}

/** What one map task made for one reduce partition, as two columns of equal length. */
export interface Bucket {
  readonly keys: readonly Key[]
  readonly values: readonly unknown[]
}

/** What a running task may reach. Everything in it is the executor's. */
export interface TaskContext {
  /** The batch the task runs in; -1 outside streams. */
  readonly batchId: number
  /** The buckets of all map partitions, in the order of those partitions. */
  readShuffle(shuffleId: string, reducePartition: number): Promise<readonly Bucket[]>
  /** Nominal time of the batch that runs, in milliseconds since the epoch; 0 outside streams. */
  readonly timeMs: number
  /** Watermarks with which the batch runs, by uid (see BatchInfo). */
  readonly watermarks: Readonly<Record<string, number>>
  /** Pushes the rows of an offset range into the sink. */
  scan(scan: Scan, sink: Sink<unknown>): Promise<void>
  /**
   * Runs `advance` once for this operator, partition and batch, however many tasks ask, commits what it
   * has written, and returns what it has emitted.
   */
  advanceState(
    operator: StatefulOperator,
    partition: number,
    advance: (state: KeyedState) => Promise<StateOutputs>,
  ): Promise<StateOutputs>
  /** Id of the newest batch that changed the state; -1 for none. The batch must have advanced it. */
  stateVersion(operator: StatefulOperator, partition: number): Promise<number>
  /** Of the state, after the batch that advanced it; undefined when an earlier release has written it. */
  stateSize(operator: StatefulOperator, partition: number): Promise<StateSize | undefined>
  /** Pushes all keys (encoded) with their values, as they are after the batch, which must have advanced it. */
  scanState(
    operator: StatefulOperator,
    partition: number,
    each: (key: string, value: unknown) => void,
  ): Promise<void>
  /** The largest event time that the task met in a topic partition (`topic-partition`), for a watermark. */
  noteEventTime(watermark: string, source: string, timeMs: number): void
  /** A record that the policy of its source leaves out. */
  reject(record: RejectedRecord): void
  /**
   * Computes a partition once for all tasks that ask for it at the same time. A context without it
   * computes the partition for each of them.
   */
  share?<T>(rdd: Lineage<T>, partition: number, sink: Sink<T>): Promise<void>
}

/** Partition i reads the parent's partition i. */
export function oneToOne(parent: Lineage<unknown>): NarrowDependency {
  return { kind: 'narrow', parent, parentOf: (partition) => partition }
}
