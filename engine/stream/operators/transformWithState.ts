// transformWithState: a custom operator with a state and timers per key. In event time, its timers
// follow the watermark, and rows behind it go to a separate output.

import { EngineError } from '../../engineError.ts'
import type { Key } from '../../keys/key.ts'
import type { StateTimer, TimeDomain } from '../../state/keyedState.ts'
import type { StateCodec } from '../../state/stateCodec.ts'
import { inEventOrder, type LateRow, type TimedRow } from '../eventTime.ts'
import type { StreamBuilder } from '../streamPlan.ts'
import {
  expiryTag,
  type Kept,
  KeptValues,
  keptCodec,
  requireDuration,
  shownOfKept,
} from './keptValue.ts'
import type { KeyedOperator } from './keyedOperator.ts'
import type { KeyScope } from './keyScope.ts'
import { copyOf } from './plainCopy.ts'
import {
  type EventOperatorOptions,
  type OperatorOptions,
  statefulContract,
} from './statefulContract.ts'
import { initialOf } from './updateStateByKey.ts'

/** The state and timers of the current key. Valid only during the call that receives it. */
export interface StateContext<S, O> {
  /**
   * Nominal time of the batch: the processing time of every call in it, in milliseconds since the
   * epoch.
   */
  readonly batchTimeMs: number
  /** A fresh copy: a change takes effect only with `update`. Undefined for none. */
  get(): S | undefined
  /** Sets the state of the key. */
  update(state: S): void
  /** Removes the state of the key; its timers stay. */
  remove(): void
  /**
   * Registers a timer that fires in the first batch whose nominal time is at or past `timeMs`
   * (since the epoch), after the input of that batch; in this batch if the time has already come.
   * `tag` distinguishes timers for the same time: 0 (the default) to 254.
   */
  registerProcessingTimer(timeMs: number, tag?: number): void
  /** Deletes a processing time timer. */
  deleteProcessingTimer(timeMs: number, tag?: number): void
  /** Emits a copy: a state may be emitted, changed, and emitted again. */
  emit(value: O): void
}

export interface EventStateContext<S, O> extends StateContext<S, O> {
  /** Undefined until the topics have given an event time. */
  readonly watermarkMs: number | undefined
  /**
   * Registers a timer that fires in the first batch whose watermark is at or past `timeMs` (since
   * the epoch), after the rows of that batch; in this batch if the watermark is already there.
   */
  registerEventTimer(timeMs: number, tag?: number): void
  /** Deletes an event time timer. */
  deleteEventTimer(timeMs: number, tag?: number): void
}

/** A timer that has fired. */
export interface FiredTimer {
  readonly domain: TimeDomain
  /** The time for which it was registered. */
  readonly timeMs: number
  readonly tag: number
}

/**
 * Functions of a custom operator. They must do all their work before they return (no await), and
 * depend only on their arguments.
 */
export interface StatefulProcessor<K extends Key, V, S, O> {
  /** Called once per batch for each key with values. */
  handleInput(key: K, values: readonly V[], context: StateContext<S, O>): void
  /** Called for each due timer, after the input of the batch, ordered by time. */
  handleTimer?(key: K, timer: FiredTimer, context: StateContext<S, O>): void
}

/** Functions of a custom operator in event time. */
export interface EventStatefulProcessor<K extends Key, T, S, O> {
  /** Called once per batch for each key with rows, which are ordered by event time. */
  handleInput(key: K, rows: readonly TimedRow<T>[], context: EventStateContext<S, O>): void
  /** Called for each due timer, after the rows of the batch, ordered by time. */
  handleTimer?(key: K, timer: FiredTimer, context: EventStateContext<S, O>): void
}

export interface TransformOptions<K extends Key, S> extends OperatorOptions {
  /**
   * Nominal (processing) time after its last update at which a state is removed, also when timers
   * use event time; in ms, never by default. Downtime of the job counts. For a state stored before
   * the option was set, it counts from the next update.
   */
  readonly ttlMs?: number
  /** Initial states: an array of pairs, or a Map. Ignored once a state exists. */
  readonly initialState?: Iterable<readonly [key: K, state: S]>
  /** Codec of the states. */
  readonly codec?: StateCodec<S>
}

export function transformOperator<K extends Key, V, S, O>(
  builder: StreamBuilder,
  processor: StatefulProcessor<K, V, S, O>,
  options: TransformOptions<K, S>,
): KeyedOperator<K, readonly V[], Kept<S>> {
  return operator(builder, 'processing', processor, options)
}

export function eventTransformOperator<K extends Key, T, S, O>(
  builder: StreamBuilder,
  processor: EventStatefulProcessor<K, T, S, O>,
  options: TransformOptions<K, S> & EventOperatorOptions,
): KeyedOperator<K, readonly TimedRow<T>[], Kept<S>> {
  const ofRows = operator(builder, 'event', processor, options)
  return {
    ...ofRows,
    onArrived(key, rows, scope) {
      const { watermarkMs = -Infinity } = scope.batch
      const onTime: TimedRow<T>[] = []
      for (const row of rows) {
        if (row.timeMs >= watermarkMs) onTime.push(row)
        else scope.emit({ key, ...row } satisfies LateRow<K, T>, 'late')
      }
      if (onTime.length > 0) ofRows.onArrived(key, inEventOrder(onTime), scope)
    },
  }
}

function operator<K extends Key, V, S, O>(
  builder: StreamBuilder,
  time: TimeDomain,
  processor: {
    handleInput(key: K, values: readonly V[], context: EventStateContext<S, O>): void
    handleTimer?(key: K, timer: FiredTimer, context: EventStateContext<S, O>): void
  },
  options: TransformOptions<K, S> & Partial<EventOperatorOptions>,
): KeyedOperator<K, readonly V[], Kept<S>> {
  const { ttlMs, initialState, codec } = options
  requireDuration('transformWithState', 'ttlMs', ttlMs)
  const kept = new KeptValues<S>(ttlMs)
  return {
    contract: shownOfKept(
      statefulContract(builder, 'transformWithState', {
        ...options,
        shape: `${time} time`,
        codec: keptCodec(codec),
      }),
    ),
    onArrived(key, values, scope) {
      // An expired value is removed before the input: timers and updates of the input belong to a
      // new value.
      if (kept.expired(scope)) scope.delete()
      const returned: unknown = processor.handleInput(key, values, new Context(kept, scope))
      requireSynchronous('handleInput', returned)
    },
    onTimer(key, timer, scope) {
      if (timer.tag === expiryTag) {
        kept.expire(timer, scope)
        return
      }
      if (processor.handleTimer === undefined) throw unhandled(timer)
      if (kept.expired(scope)) scope.delete()
      const { domain, timeMs, tag } = timer
      const context = new Context<S, O>(kept, scope)
      requireSynchronous(
        'handleTimer',
        processor.handleTimer(key, { domain, timeMs, tag }, context) as unknown,
      )
    },
    ...initialOf(initialState, kept),
  }
}

class Context<S, O> implements EventStateContext<S, O> {
  readonly #kept: KeptValues<S>
  readonly #scope: KeyScope<Kept<S>>

  constructor(kept: KeptValues<S>, scope: KeyScope<Kept<S>>) {
    this.#kept = kept
    this.#scope = scope
  }

  get batchTimeMs(): number {
    return this.#scope.batch.timeMs
  }

  get watermarkMs(): number | undefined {
    return this.#scope.batch.watermarkMs
  }

  get(): S | undefined {
    return this.#kept.get(this.#scope)
  }

  /** Sets the state of the key. */
  update(state: S): void {
    if (state === undefined)
      throw new TypeError('a state must not be undefined; call remove() instead')
    this.#kept.set(this.#scope, state)
  }

  remove(): void {
    this.#scope.delete()
  }

  registerProcessingTimer(timeMs: number, tag = 0): void {
    this.#scope.setTimer('processing', timeMs, ownTag(tag))
  }

  /** Deletes a processing time timer. */
  deleteProcessingTimer(timeMs: number, tag = 0): void {
    this.#scope.deleteTimer('processing', timeMs, ownTag(tag))
  }

  registerEventTimer(timeMs: number, tag = 0): void {
    this.#scope.setTimer('event', timeMs, ownTag(tag))
  }

  /** Deletes an event time timer. */
  deleteEventTimer(timeMs: number, tag = 0): void {
    this.#scope.deleteTimer('event', timeMs, ownTag(tag))
  }

  emit(value: O): void {
    this.#scope.emit(copyOf(value))
  }
}

function ownTag(tag: number): number {
  if (tag < expiryTag) return tag
  throw new RangeError(
    `the tag of a timer must be an integer from 0 to ${expiryTag - 1}, not ${tag}`,
  )
}

function unhandled({ timeMs }: StateTimer): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `a timer of transformWithState for ${timeMs} is due, but the processor has no handleTimer; add one`,
  )
}

function requireSynchronous(name: string, returned: unknown): void {
  if (typeof (returned as PromiseLike<unknown> | undefined)?.then !== 'function') return
  throw new TypeError(
    `${name} returned a promise; work after an await would be too late for the batch`,
  )
}
