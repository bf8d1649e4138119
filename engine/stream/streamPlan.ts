// The plan of a stream: what a graph needs to compute the stream's RDD in a batch, and the types
// that plans share. Types only. Separate from dstream.ts, so that the files with plans do not
// depend on the operators of DStream, which are built on them.

import type { StatefulOperator, WatermarkSpec } from '../contract/statefulOperator.ts'
import type { Rdd, RddContext } from '../rdd/rdd.ts'
import type { BatchHistory, BatchInfo } from './batchHistory.ts'
import type { ViewOptions } from './view.ts'

/** A stream of a graph, as plans see it. A DStream is one. */
export interface Stream<T> {
  readonly id: number
  readonly builder: StreamBuilder
  readonly plan: StreamPlan<T>
  readonly slideMs: number
  /** Whether it, or a stream above it, depends on a state. */
  readonly isStateful: boolean
}

/** A batch as seen by the plan of one stream. */
export interface StreamBatch {
  readonly batch: BatchInfo
  readonly history: BatchHistory
  /** Creates RDDs; their ids name the stream and the batch. */
  readonly context: RddContext
  /** Returns a stream's RDD in this batch or an earlier one; undefined when it has none. */
  rddOf<T>(stream: Stream<T>, batchId?: number): Rdd<T> | undefined
}

/** A stream before it has an id. */
export interface StreamPlan<T> {
  readonly name: string
  /** Distinguishes the stream in a fingerprint, beside its name and parents. */
  readonly detail?: string
  readonly parents: readonly Stream<unknown>[]
  readonly slideMs: number
  /** For the rows of a topic: the name of the topic. */
  readonly topic?: string
  /** Whether each partition of the RDDs is computed from one partition of the parents. */
  readonly isNarrow?: boolean
  /** How far back from a batch the RDDs of the parents are needed, in ms. */
  readonly rememberMs?: number
  /** The operator whose state the RDDs advance. Such an RDD has `advance`. */
  readonly operator?: StatefulOperator
  /** For a stream that assigns event times to its elements. */
  readonly watermark?: WatermarkSpec
  /** Whether the elements are all entries of the parents' states, also those of earlier batches. */
  readonly isTable?: boolean
  /**
   * Whether the elements are read from the outputs of an operator, so that sharing one pass between
   * readers saves nothing.
   */
  readonly isOutput?: boolean
  /** Whether the RDDs cannot be recomputed in a later batch, because the state has advanced. */
  readonly isStateful?: boolean
  rdd(batch: StreamBatch): Rdd<T> | undefined
}

export type Output =
  | {
      readonly kind: 'view'
      readonly stream: Stream<unknown>
      readonly name: string
      readonly options: ViewOptions
    }
  | {
      readonly kind: 'foreachRDD'
      readonly stream: Stream<unknown>
      run(rdd: Rdd<unknown>, batch: BatchInfo): void | Promise<void>
      /** See ForeachOptions. */
      readonly retryForMs: number
    }

/** Creates streams: the graph that a job builds. */
export interface StreamBuilder {
  readonly batchIntervalMs: number
  /** Returns the next id, in order of construction. */
  nextId(): number
  /** Called once for each new stream. */
  register(stream: Stream<unknown>): void
  addOutput(output: Output): void
  /** Returns the uid of an operator's state; derived from the order of construction by default. */
  stateUid(kind: string, given: string | undefined): string
  /** Returns the uid of a watermark; derived from its topics by default. */
  watermarkUid(topics: readonly string[], given: string | undefined): string
}
