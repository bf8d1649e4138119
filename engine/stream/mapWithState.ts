// mapWithState: maps each value of a key with the key's state at hand, as Spark does. It emits for the
// values of the batch alone; all states are there as a stream of their own.

import type { Key } from '../rdd/key.ts'
import type { Pair } from '../rdd/lineage.ts'
import type { StateCodec } from '../state/stateCodec.ts'
import type { DStream, StreamBuilder } from './dstream.ts'
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
import { type OperatorOptions, statefulContract } from './statefulContract.ts'
import { initialOf } from './updateStateByKey.ts'

/** The state of the key in hand. */
export interface State<S> {
  exists(): boolean
  /** Undefined when there is none. A fresh copy: a change of it counts once `update` is called. */
  get(): S | undefined
  /** Throws when the key is timing out. */
  update(state: S): void
  remove(): void
  /** The key has had no value for `timeoutMs`: it is removed after this call. */
  isTimingOut(): boolean
}

/**
 * What is emitted for a value, nothing when it is undefined. Called without a value when the key times out.
 */
export type StateMapping<K extends Key, V, S, M> = (
  key: K,
  value: V | undefined,
  state: State<S>,
) => M | undefined

export interface MapWithStateOptions<K extends Key, S> extends OperatorOptions {
  /** Calls the function once more for a key that has had no value for so long, and removes its state. */
  readonly timeoutMs?: number
  /** States are forgotten without a call so long after the last value of their key. Never unless given. */
  readonly ttlMs?: number
  /** States that the job begins with: an array of pairs, a Map. Not used once there is a state. */
  readonly initialState?: Iterable<readonly [key: K, state: S]>
  /** How states become bytes. */
  readonly codec?: StateCodec<S>
}

/** What the function has returned, in the order of the values of each key. */
export interface MappedStream<K extends Key, S, M> extends DStream<M> {
  /** All keys with their states, as they are after each batch. */
  stateSnapshots(): DStream<Pair<K, S>>
}

export function mapWithStateOperator<K extends Key, V, S, M>(
  builder: StreamBuilder,
  map: StateMapping<K, V, S, M>,
  options: MapWithStateOptions<K, S>,
): KeyedOperator<K, readonly V[], Kept<S>> {
  const { timeoutMs, ttlMs, initialState, codec } = options
  requireDuration('mapWithState', 'timeoutMs', timeoutMs)
  requireDuration('mapWithState', 'ttlMs', ttlMs)
  const isCalled = timeoutMs !== undefined && timeoutMs <= (ttlMs ?? Infinity)
  const kept = new KeptValues<S>(isCalled ? timeoutMs : ttlMs)

  const call = (key: K, value: V | undefined, state: StateInHand<S>, scope: KeyScope<Kept<S>>) => {
    const mapped = map(key, value, state)
    if (mapped !== undefined) scope.emit(mapped)
  }
  const timeOut = (key: K, value: S, scope: KeyScope<Kept<S>>) => {
    if (isCalled) call(key, undefined, new StateInHand<S>(value, true), scope)
    scope.delete()
  }
  return {
    contract: shownOfKept(
      statefulContract(builder, 'mapWithState', {
        ...options,
        codec: keptCodec(codec),
      }),
    ),
    onArrived(key, values, scope) {
      const expired = kept.expired(scope)
      if (expired) timeOut(key, expired.value, scope)
      const state = new StateInHand<S>(kept.get(scope), false)
      for (const value of values) call(key, value, state, scope)
      state.store(kept, scope)
    },
    onTimer(key, timer, scope) {
      const expired = timer.tag === expiryTag ? kept.expire(timer, scope) : undefined
      if (expired) timeOut(key, expired.value, scope)
    },
    ...initialOf(initialState, kept),
  }
}

/** Written once, after the last value of the key in the batch. */
class StateInHand<S> implements State<S> {
  readonly #isTimingOut: boolean
  #state: S | undefined
  #isChanged = false

  constructor(state: S | undefined, isTimingOut: boolean) {
    this.#state = state
    this.#isTimingOut = isTimingOut
  }

  exists(): boolean {
    return this.#state !== undefined
  }

  get(): S | undefined {
    return this.#state
  }

  update(state: S): void {
    if (this.#isTimingOut) throw new Error('a state that is timing out cannot be updated')
    if (state === undefined) throw new TypeError('a state cannot become undefined: call remove()')
    this.#state = state
    this.#isChanged = true
  }

  remove(): void {
    this.#state = undefined
    this.#isChanged = true
  }

  isTimingOut(): boolean {
    return this.#isTimingOut
  }

  store(kept: KeptValues<S>, scope: KeyScope<Kept<S>>): void {
    if (!this.#isChanged) kept.touch(scope)
    else if (this.#state === undefined) scope.delete()
    else kept.set(scope, this.#state)
  }
}
