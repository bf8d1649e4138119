// The contract of an RDD: its partitions, its dependencies, and how a partition is computed from
// its parents' partitions. Scheduler and executors know RDDs only by this interface.
//
// Evaluation is push-style: `compute` passes each element to a sink. A chain of narrow operators is
// a nest of plain function calls, without an iterator, promise or array per element; only waiting
// for bytes needs a promise. An operator must never depend on anything but its inputs: partitions
// are recomputed after failures, and must be the same.

import type { StatefulOperator } from '../contract/statefulOperator.ts'
import type { Key } from '../keys/key.ts'
import type { Partitioner } from '../keys/partitioner.ts'
import type { OffsetRange, RejectedRecord, Scan } from '../sources/scan.ts'
import type { Sink } from '../sources/sink.ts'
import type { KeyedState, StateOutputs } from '../state/keyedState.ts'
import type { StateSize } from '../state/stateVersion.ts'

/** A keyed element. */
export type Pair<K extends Key, V> = readonly [key: K, value: V]

export interface Lineage<T> {
  /** The same in the driver and in every executor that builds the same graph. */
  readonly id: string
  readonly name: string
  readonly partitionCount: number
  readonly dependencies: readonly Dependency[]
  readonly partitioner: Partitioner | undefined
  /** Pushes every element of one partition into `sink`, always in the same order. */
  compute(partition: number, task: TaskContext, sink: Sink<T>): void | Promise<void>
  /** Preferred or required location of the task, if any. */
  affinity?(partition: number): Affinity | undefined
  /** Set when each element depends on one element of one parent: such operators run as a chain. */
  readonly step?: NarrowStep | undefined
  /**
   * True when the elements come directly from records (through no shuffle or mapPartitions) with a
   * source whose policy rejects failing records: chains of operators then guard themselves (see
   * narrowChain).
   */
  readonly rejects?: boolean | undefined
  /** Nested calls that `compute` makes before it reaches a root or a shuffle; 1 if not set. */
  readonly depth?: number
  /**
   * Only for a stateful operator: advances the state of a partition to the running batch, without
   * emitting anything.
   */
  advance?(partition: number, task: TaskContext): Promise<Advanced>
  /** The offsets that a partition of a root reads. */
  range?(partition: number): OffsetRange | undefined
}

/** The report of a stateful operator on one partition after a batch. */
export interface Advanced {
  /** Id of the newest batch that changed the state; -1 for none. */
  readonly changedIn: number
  /** Rows of the batch that arrived too late to count. */
  readonly lateRows: number
  /** Size of the state; undefined when an earlier release wrote it. */
  readonly size: StateSize | undefined
}

/**
 * An operator that replaces each element of its parent by any number of elements, one at a time.
 */
export interface NarrowStep {
  readonly parent: Lineage<unknown>
  /** Returns the sink for the parent's elements; called once per partition. */
  wrap(sink: Sink<unknown>): Sink<unknown>
}

/**
 * The executor of a task. `state` is binding: the partition's stores are open in one executor.
 * `source` is a preference: tasks that read a topic partition in one place can share the scan.
 */
export interface Affinity {
  readonly kind: 'state' | 'source'
  readonly slot: number
}

export type Dependency = NarrowDependency | ShuffleDependency

/** Each partition needs a few known partitions of the parent, computed in the same task. */
export interface NarrowDependency {
  readonly kind: 'narrow'
  readonly parent: Lineage<unknown>
  /**
   * Returns the parent's partition that `partition` reads; undefined when it reads none of this
   * parent.
   */
  parentOf(partition: number): number | undefined
}

/** Each partition needs a bucket from every partition of the parent: a stage ends here. */
export interface ShuffleDependency {
  readonly kind: 'shuffle'
  readonly id: string
  readonly parent: Lineage<Pair<Key, unknown>>
  readonly partitioner: Partitioner
  /** If given, values of one key are combined before they leave the map task. */
  readonly combiner: Combiner | undefined
}

/** Combines the values of one key. `undefined` is never passed as a combined value. */
export interface Combiner {
  create(value: unknown): unknown
  mergeValue(combined: unknown, value: unknown): unknown
  mergeCombined(left: unknown, right: unknown): unknown
}

/** The output of one map task for one reduce partition, as two columns of equal length. */
export interface Bucket {
  readonly keys: readonly Key[]
  readonly values: readonly unknown[]
}

/** The executor's services for a running task. */
export interface TaskContext {
  /** The batch of the task; -1 outside of streams. */
  readonly batchId: number
  /** Returns the buckets of all map partitions, in the order of those partitions. */
  readShuffle(shuffleId: string, reducePartition: number): Promise<readonly Bucket[]>
  /** Nominal time of the batch, in milliseconds since the epoch; 0 outside of streams. */
  readonly timeMs: number
  /** Watermarks of the batch, by uid (see BatchInfo). */
  readonly watermarks: Readonly<Record<string, number>>
  /** Pushes the rows of an offset range into the sink. */
  scan(scan: Scan, sink: Sink<unknown>): Promise<void>
  /**
   * Runs `advance` once for this operator, partition and batch, however many tasks call it; commits
   * its writes, and returns its output.
   */
  advanceState(
    operator: StatefulOperator,
    partition: number,
    advance: (state: KeyedState) => Promise<StateOutputs>,
  ): Promise<StateOutputs>
  /**
   * Id of the newest batch that changed the state; -1 for none. The batch must have advanced the
   * state.
   */
  stateVersion(operator: StatefulOperator, partition: number): Promise<number>
  /**
   * Size of the state after the batch that advanced it; undefined when an earlier release wrote it.
   */
  stateSize(operator: StatefulOperator, partition: number): Promise<StateSize | undefined>
  /**
   * Pushes all keys (encoded) with their values after the batch, which must have advanced the
   * state.
   */
  scanState(
    operator: StatefulOperator,
    partition: number,
    each: (key: string, value: unknown) => void,
  ): Promise<void>
  /** Reports the largest event time that the task read in a topic partition (`topic-partition`). */
  noteEventTime(watermark: string, source: string, timeMs: number): void
  /** Reports a record that the policy of its source rejects. */
  reject(record: RejectedRecord): void
  /**
   * Computes a partition once for all tasks that need it at the same time. Without this method,
   * each task computes the partition itself.
   */
  share?<T>(rdd: Lineage<T>, partition: number, sink: Sink<T>): Promise<void>
}

/** Partition i reads partition i of the parent. */
export function oneToOne(parent: Lineage<unknown>): NarrowDependency {
  return { kind: 'narrow', parent, parentOf: (partition) => partition }
}
