// Streams by event time: rows with the times at which they happened, and operators on them by key.
// Their windows follow the times of the rows and close by the watermark, independent of the
// duration of batches and of downtime. Windows of a DStream, in contrast, follow the time of the
// batches.

import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import type { Pair } from '../rdd/lineage.ts'
import { requirePlainElements } from '../rdd/plainResults.ts'
import type { StateOutputs } from '../state/keyedState.ts'
import type { StorableState } from '../state/storedValue.ts'
import type { DStream } from './dstream.ts'
import { type LateRow, type TimedRow, unionUid } from './eventTime.ts'
import { EventWindows } from './eventWindows.ts'
import { duplicatesOperator } from './operators/duplicates.ts'
import { longestMs, requireDuration } from './operators/keptValue.ts'
import { operatorPlan, outputPlan } from './operators/keyedOperator.ts'
import type { OperatorOptions } from './operators/statefulContract.ts'
import {
  type EventStatefulProcessor,
  eventTransformOperator,
  type TransformOptions,
} from './operators/transformWithState.ts'
import { groupedBy, union as unionOfStreams } from './streamPlans.ts'

/** The watermarks of a stream, whose own watermark is the minimum of those that are not idle. */
export interface StreamWatermarks {
  readonly uids: readonly string[]
  /** The longest delay of the watermarks, in ms. */
  readonly delayMs: number
}

/** The output of the processor. */
export interface TransformedStream<K extends Key, T, O> extends DStream<O> {
  /** Rows behind the watermark; the processor does not receive them. */
  readonly late: DStream<LateRow<K, T>>
}

/** Rows with event times, and their watermark. */
export class EventStream<T> {
  readonly #rows: DStream<TimedRow<T>>
  readonly #watermarks: StreamWatermarks

  /** Created by `withWatermark`. */
  constructor(rows: DStream<TimedRow<T>>, watermarks: StreamWatermarks) {
    this.#rows = rows
    this.#watermarks = watermarks
  }

  /** Replaces each row; the new row has the time of the old one. */
  map<U>(transform: (row: T) => U): EventStream<U> {
    return this.#derive(
      this.#rows.map(({ timeMs, row }) => {
        return { timeMs, row: transform(row) }
      }),
    )
  }

  /** Replaces each row by any number of rows with the same time. */
  flatMap<U>(transform: (row: T) => Iterable<U>): EventStream<U> {
    return this.#derive(
      this.#rows.flatMap(({ timeMs, row }) => {
        const timed: TimedRow<U>[] = []
        for (const each of transform(row)) timed.push({ timeMs, row: each })
        return timed
      }),
    )
  }

  /** Keeps the rows for which `keep` is true. */
  filter<S extends T>(keep: (row: T) => row is S): EventStream<S>
  /** Keeps the rows for which `keep` is true. */
  filter(keep: (row: T) => boolean): EventStream<T>
  filter(keep: (row: T) => boolean): EventStream<T> {
    return this.#derive(this.#rows.filter(({ row }) => keep(row)))
  }

  /**
   * Unites streams; the watermark is the minimum of theirs. A stream whose topics are idle (see
   * idleTimeoutMs) does not hold it back: rows that it brings later may be late.
   */
  union(...others: EventStream<T>[]): EventStream<T> {
    const all = [this, ...others]
    const uids = [...new Set(all.flatMap((stream) => stream.#watermarks.uids))]
    const delayMs = Math.max(...all.map((stream) => stream.#watermarks.delayMs))
    const plan = unionOfStreams(all.map((stream) => stream.#rows))
    const watermark = { uid: unionUid(uids), delayMs, idleTimeoutMs: 0, topics: [], of: uids }
    const rows = this.#rows.derive(uids.length > 1 ? { ...plan, watermark } : plan)
    return new EventStream(rows, { uids, delayMs })
  }

  /**
   * Groups rows by key. They are sent to the task of their key from here on, so they must be plain
   * values.
   */
  keyBy<K extends Key>(keyOf: (row: T) => K): KeyedEventStream<K, T> {
    const keyed = this.#rows.transform((rows) => {
      let isChecked = false
      return rows.map((timed): Pair<K, TimedRow<T>> => {
        if (!isChecked) requirePlainElements([timed.row])
        isChecked = true
        return [keyOf(timed.row), timed]
      })
    })
    return new KeyedEventStream(keyed, this.#watermarks)
  }

  /** The rows with their times, as a stream of batches. */
  timedRows(): DStream<TimedRow<T>> {
    return this.#rows
  }

  #derive<U>(rows: DStream<TimedRow<U>>): EventStream<U> {
    return new EventStream(rows, this.#watermarks)
  }
}

/** Rows with event times, grouped by key. */
export class KeyedEventStream<K extends Key, T> {
  readonly #rows: DStream<Pair<K, TimedRow<T>>>
  readonly #watermarks: StreamWatermarks

  constructor(rows: DStream<Pair<K, TimedRow<T>>>, watermarks: StreamWatermarks) {
    this.#rows = rows
    this.#watermarks = watermarks
  }

  /** Adjacent windows of `sizeMs`, aligned to multiples of their size plus `offsetMs`. */
  tumbling(sizeMs: number, options: { readonly offsetMs?: number } = {}): EventWindows<K, T> {
    return this.#fixed('tumbling', sizeMs, sizeMs, options.offsetMs)
  }

  /**
   * Windows of `sizeMs` every `slideMs`, which must not exceed the size: a row is in several of
   * them.
   */
  hopping(
    sizeMs: number,
    slideMs: number,
    options: { readonly offsetMs?: number } = {},
  ): EventWindows<K, T> {
    return this.#fixed('hopping', sizeMs, slideMs, options.offsetMs)
  }

  /** Windows of rows with less than `gapMs` between each row and the next. */
  sessions(gapMs: number): EventWindows<K, T> {
    requireDuration('sessions', 'gapMs', gapMs)
    return new EventWindows(this.#rows, this.#watermarks.uids, { kind: 'sessions', gapMs }, 0)
  }

  /**
   * Runs a custom operator: a state per key, event time and processing time timers, and its output.
   * Rows behind the watermark are in `late`.
   */
  transformWithState<S, O>(
    processor: EventStatefulProcessor<K, T, S, O> & StorableState<S>,
    options: TransformOptions<K, S> = {},
  ): TransformedStream<K, T, O> {
    const rows = this.#rows
    const operator = rows.derive(
      operatorPlan(
        rows,
        eventTransformOperator<K, T, S, O>(rows.builder, processor, this.#withWatermarks(options)),
        this.#grouped(),
      ),
    )
    return Object.assign(rows.derive(outputPlan<O>(operator, 'main')), {
      late: this.#late(operator),
    })
  }

  /**
   * Drops duplicates: of the rows of a key within less than `withinMs` of event time, keeps the
   * first to arrive and, within one batch, the one with the earliest time. `withinMs` is the delay
   * of the watermark by default, enough for duplicates with equal times. Rows behind the watermark
   * are in `late`.
   */
  dropDuplicatesWithinWatermark(
    options: OperatorOptions & { readonly withinMs?: number } = {},
  ): EventStream<T> & { readonly late: DStream<LateRow<K, T>> } {
    const { withinMs = Math.max(this.#watermarks.delayMs, 1) } = options
    requireDuration('dropDuplicatesWithinWatermark', 'withinMs', withinMs)
    const rows = this.#rows
    const operator = rows.derive(
      operatorPlan(
        rows,
        duplicatesOperator<K, T>(rows.builder, withinMs, this.#withWatermarks(options)),
        this.#grouped(),
      ),
    )
    const first = rows.derive(outputPlan<TimedRow<T>>(operator, 'main'))
    return Object.assign(new EventStream(first, this.#watermarks), { late: this.#late(operator) })
  }

  #fixed(
    kind: 'tumbling' | 'hopping',
    sizeMs: number,
    slideMs: number,
    offsetMs = 0,
  ): EventWindows<K, T> {
    requireDuration(kind, 'sizeMs', sizeMs)
    requireDuration(kind, 'slideMs', slideMs)
    if (slideMs > sizeMs || !Number.isInteger(offsetMs) || Math.abs(offsetMs) > longestMs) {
      throw new EngineError(
        'JOB_GRAPH_INVALID',
        `${kind} windows need a slide of at most their size and an offset in integer milliseconds, not ` +
          `a size of ${sizeMs}, a slide of ${slideMs} and an offset of ${offsetMs}`,
      )
    }
    const shape = { kind, sizeMs, slideMs, offsetMs } as const
    return new EventWindows(this.#rows, this.#watermarks.uids, shape, 0)
  }

  #withWatermarks<Options>(options: Options): Options & { readonly watermarks: readonly string[] } {
    return { ...options, watermarks: this.#watermarks.uids }
  }

  #grouped() {
    return { arrived: groupedBy(this.#rows), watermarks: this.#watermarks.uids }
  }

  #late(operator: DStream<StateOutputs>): DStream<LateRow<K, T>> {
    return operator.derive(outputPlan<LateRow<K, T>>(operator, 'late'))
  }
}
