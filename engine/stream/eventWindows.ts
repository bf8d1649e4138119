// Event time windows of a keyed stream, and the aggregation of their rows.

import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import { byKeyGroups } from '../keys/partitioner.ts'
import type { Combiner, Pair } from '../rdd/lineage.ts'
import { Rdd } from '../rdd/rdd.ts'
import { combineByKey } from '../rdd/shuffled.ts'
import type { StateOutputs } from '../state/keyedState.ts'
import type { StorableState } from '../state/storedValue.ts'
import type { DStream } from './dstream.ts'
import type { LateRow, TimedRow } from './eventTime.ts'
import { longestMs } from './operators/keptValue.ts'
import { operatorPlan, outputPlan, tablePlan, watermarkOf } from './operators/keyedOperator.ts'
import type { EventOperatorOptions, OperatorOptions } from './operators/statefulContract.ts'
import type { StreamBatch } from './streamPlan.ts'
import {
  fixedWindowCombiner,
  fixedWindowOperator,
  openFixedWindows,
  type StoredWindows,
  type WindowPart,
} from './windows/fixedWindows.ts'
import {
  openSessions,
  type SessionPart,
  type StoredSessions,
  sessionCombiner,
  sessionOperator,
} from './windows/sessionWindows.ts'
import {
  type Aggregation,
  aggregating,
  type OpenWindow,
  reducing,
  type WindowAggregate,
  type WindowResult,
} from './windows/windowAggregate.ts'

/**
 * Results of windows: emitted when the watermark passes a window's end, and again in each batch
 * whose late rows changed it.
 */
export interface WindowedStream<K extends Key, V, T> extends DStream<WindowResult<K, V>> {
  /** Rows that no window accepts any more. */
  readonly late: DStream<LateRow<K, T>>
  /**
   * All windows that can still change, as of each batch, for results that must always be current.
   */
  open(): DStream<OpenWindow<K, V>>
}

export type WindowShape =
  | {
      readonly kind: 'tumbling' | 'hopping'
      readonly sizeMs: number
      readonly slideMs: number
      readonly offsetMs: number
    }
  | { readonly kind: 'sessions'; readonly gapMs: number }

/** Event time windows over the rows of each key. */
export class EventWindows<K extends Key, T> {
  readonly #rows: DStream<Pair<K, TimedRow<T>>>
  readonly #watermarks: readonly string[]
  readonly #shape: WindowShape
  readonly #latenessMs: number

  constructor(
    rows: DStream<Pair<K, TimedRow<T>>>,
    watermarks: readonly string[],
    shape: WindowShape,
    latenessMs: number,
  ) {
    this.#rows = rows
    this.#watermarks = watermarks
    this.#shape = shape
    this.#latenessMs = latenessMs
  }

  /**
   * Keeps windows, and updates them with late rows, until the watermark is `latenessMs` past their
   * ends; 0 by default.
   */
  allowedLateness(latenessMs: number): EventWindows<K, T> {
    if (!Number.isInteger(latenessMs) || latenessMs < 0 || latenessMs > longestMs) {
      throw new EngineError(
        'JOB_GRAPH_INVALID',
        `allowedLateness must be an integer from 0 to ${longestMs}, not ${latenessMs}`,
      )
    }
    return new EventWindows(this.#rows, this.#watermarks, this.#shape, latenessMs)
  }

  /** `reduce` must be associative and commutative, and must not change its arguments. */
  reduce<V>(
    this: EventWindows<K, V>,
    reduce: ((left: V, right: V) => V) & StorableState<V>,
    options: OperatorOptions = {},
  ): WindowedStream<K, V, V> {
    return this.#windowed(reducing<V>(reduce), options)
  }

  /** The number of rows in each window. */
  count(options: OperatorOptions = {}): WindowedStream<K, number, T> {
    const counting = { create: () => 0, add: (count: number) => count + 1, merge: plus }
    return this.#windowed(aggregating<T, number>(counting), options)
  }

  /** Combines the rows of each window. */
  aggregate<A>(
    aggregation: Aggregation<T, A> & StorableState<A>,
    options: OperatorOptions = {},
  ): WindowedStream<K, A, T> {
    return this.#windowed(aggregating<T, A>(aggregation), options)
  }

  #windowed<A>(aggregate: WindowAggregate<T, A>, given: OperatorOptions) {
    const shape = this.#shape
    const options = { ...given, watermarks: this.#watermarks }
    return shape.kind === 'sessions'
      ? this.#sessions(aggregate, options, shape.gapMs)
      : this.#fixed(aggregate, options, shape)
  }

  #fixed<A>(
    aggregate: WindowAggregate<T, A>,
    options: EventOperatorOptions,
    { kind, ...shape }: Exclude<WindowShape, { kind: 'sessions' }>,
  ): WindowedStream<K, A, T> {
    const rows = this.#rows
    const windows = { ...shape, latenessMs: this.#latenessMs }
    const operator = rows.derive(
      operatorPlan(
        rows,
        fixedWindowOperator<K, T, A>(rows.builder, kind, windows, aggregate, options),
        this.#combined<WindowPart<T, A>>((watermarkMs) =>
          fixedWindowCombiner(windows, aggregate, watermarkMs),
        ),
      ),
    )
    const entries = openFixedWindows<K, A>(shape.sizeMs)
    return windowed<K, A, T, StoredWindows<A>>(operator, entries)
  }

  #sessions<A>(
    aggregate: WindowAggregate<T, A>,
    options: EventOperatorOptions,
    gapMs: number,
  ): WindowedStream<K, A, T> {
    const rows = this.#rows
    const windows = { gapMs, latenessMs: this.#latenessMs }
    const operator = rows.derive(
      operatorPlan(
        rows,
        sessionOperator<K, T, A>(rows.builder, windows, aggregate, options),
        this.#combined<SessionPart<T, A>>((watermarkMs) =>
          sessionCombiner(windows, aggregate, watermarkMs),
        ),
      ),
    )
    return windowed<K, A, T, StoredSessions<A>>(operator, openSessions)
  }

  /** The partial results that map tasks compute from the rows of a key. */
  #combined<Part>(combiner: (watermarkMs: number | undefined) => Combiner) {
    const rows = this.#rows
    const watermarks = this.#watermarks
    return {
      watermarks,
      arrived({ batch, context, rddOf }: StreamBatch): Rdd<Pair<K, readonly Part[]>> | undefined {
        const keyed = rddOf(rows)
        return (
          keyed &&
          new Rdd<Pair<K, readonly Part[]>>(
            context,
            combineByKey(
              'windows',
              keyed,
              combiner(watermarkOf(batch, watermarks)),
              byKeyGroups(context.defaultPartitions),
              () => `shuffle-${context.nextId()}`,
            ),
          )
        )
      },
    }
  }
}

function windowed<K extends Key, A, T, Stored>(
  operator: DStream<StateOutputs>,
  entries: (key: K, stored: Stored) => OpenWindow<K, A>[],
): WindowedStream<K, A, T> {
  return Object.assign(operator.derive(outputPlan<WindowResult<K, A>>(operator, 'main')), {
    late: operator.derive(outputPlan<LateRow<K, T>>(operator, 'late')),
    open: () => operator.derive(tablePlan(operator, { name: 'open', isKeyed: false, entries })),
  })
}

function plus(left: number, right: number): number {
  return left + right
}
