// transformWithState: a job's own operator, with a state and timers for each key. By the rows' event time
// its timers follow the watermark, and rows that are behind it go to an output of their own.

import { EngineError } from '../engineError.ts'
import type { Key } from '../rdd/key.ts'
import type { StateTimer, TimeDomain } from '../state/keyedState.ts'
import type { StateCodec } from '../state/stateCodec.ts'
import type { DStream, StreamBuilder } from './dstream.ts'
import { inEventOrder, type LateRow, type TimedRow } from './eventTime.ts'
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

/** The state and timers of the key in hand. Ends with the call that it is handed to. */
export interface StateContext<S, O> {
  /** Nominal time of the batch, the processing time of every call in it. */
  readonly batchTimeMs: number
  /** A fresh copy: a change of it counts once `update` is called. Undefined when there is none. */
  get(): S | undefined
  /** Sets the state of the key. */
  update(state: S): void
  /** The timers of the key stay. */
  remove(): void
  /**
   * Fires in the first batch whose nominal time is at or past `timeMs` (since the epoch), after the input of that
   * batch: in this one when the time has come already. `tag` tells timers of one time apart that mean different
   * things: 0 (unless given) to 254.
   */
  registerProcessingTimer(timeMs: number, tag?: number): void
  /** Deletes a timer of processing time. */
  deleteProcessingTimer(timeMs: number, tag?: number): void
  /** Takes a copy: a state may be emitted, changed, and emitted again. */
  emit(value: O): void
}

export interface EventStateContext<S, O> extends StateContext<S, O> {
  /** Undefined until the topics have given a time. */
  readonly watermarkMs: number | undefined
  /**
   * Fires in the first batch whose watermark is at or past `timeMs` (since the epoch), after the rows of that
   * batch: in this one when the watermark has come so far already.
   */
  registerEventTimer(timeMs: number, tag?: number): void
  /** Deletes a timer of event time. */
  deleteEventTimer(timeMs: number, tag?: number): void
}

/** A timer that is due. */
export interface FiredTimer {
  readonly domain: TimeDomain
  /** For when it was registered. */
  readonly timeMs: number
  readonly tag: number
}

/** The functions must do their work before they return (no await), and depend on nothing but their arguments. */
export interface StatefulProcessor<K extends Key, V, S, O> {
  /** Called once a batch for each key that has values. */
  handleInput(key: K, values: readonly V[], context: StateContext<S, O>): void
  /** Called for each due timer, after the input of the batch, in the order of their times. */
  handleTimer?(key: K, timer: FiredTimer, context: StateContext<S, O>): void
}

/** Functions of an operator that keeps state per key, in event time. */
export interface EventStatefulProcessor<K extends Key, T, S, O> {
  /** The rows of a key in the batch, in the order of their event times. */
  handleInput(key: K, rows: readonly TimedRow<T>[], context: EventStateContext<S, O>): void
  /** Called when a timer is due. */
  handleTimer?(key: K, timer: FiredTimer, context: EventStateContext<S, O>): void
}

export interface TransformOptions<K extends Key, S> extends OperatorOptions {
  /**
   * States are forgotten so long, in nominal (processing) time, after their last update, also where timers go by
   * event time; the time in which the job is away counts. Never unless given; a state that was kept before it
   * was given counts from its next update.
   */
  readonly ttlMs?: number
  /** States that the job begins with: an array of pairs, a Map. Not used once there is a state. */
  readonly initialState?: Iterable<readonly [key: K, state: S]>
  /** How states become bytes. */
  readonly codec?: StateCodec<S>
}

/** What the processor has emitted. */
export interface TransformedStream<K extends Key, T, O> extends DStream<O> {
  /** Rows whose time is before the watermark: the processor is not handed them. */
  readonly late: DStream<LateRow<K, T>>
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
      // Before the input, for a timer or an update of it counts from now on.
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
    if (state === undefined) throw new TypeError('a state cannot become undefined: call remove()')
    this.#kept.set(this.#scope, state)
  }

  remove(): void {
    this.#scope.delete()
  }

  registerProcessingTimer(timeMs: number, tag = 0): void {
    this.#scope.setTimer('processing', timeMs, ownTag(tag))
  }

  /** Deletes a timer of processing time. */
  deleteProcessingTimer(timeMs: number, tag = 0): void {
    this.#scope.deleteTimer('processing', timeMs, ownTag(tag))
  }

  registerEventTimer(timeMs: number, tag = 0): void {
    this.#scope.setTimer('event', timeMs, ownTag(tag))
  }

  /** Deletes a timer of event time. */
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
    `the tag of a timer is a whole number from 0 to ${expiryTag - 1}, not ${tag}`,
  )
}

function unhandled({ timeMs }: StateTimer): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `a timer of transformWithState for ${timeMs} is due, and the processor has no handleTimer: give it one`,
  )
}

function requireSynchronous(name: string, returned: unknown): void {
  if (typeof (returned as PromiseLike<unknown> | undefined)?.then !== 'function') return
  throw new TypeError(
    `${name} has returned a promise: what it does after an await would come too late for the batch`,
  )
}
