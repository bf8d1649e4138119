// mapWithState: maps each value of a key with access to the key's state, as in Spark. Emits only
// for the values of the batch; all states are available as a separate stream.

import type { Key } from '../../keys/key.ts'
import type { StateCodec } from '../../state/stateCodec.ts'
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
import { isObject } from './plainCopy.ts'
import { type OperatorOptions, statefulContract } from './statefulContract.ts'
import { initialOf } from './updateStateByKey.ts'

/** The state of the current key. */
export interface State<S> {
  /** Whether the key has a state. */
  exists(): boolean
  /** Undefined for none. A fresh copy: a change takes effect only with `update`. */
  get(): S | undefined
  /** Throws when the key is timing out. */
  update(state: S): void
  /** Removes the state of the key. */
  remove(): void
  /** Whether the key had no value for `timeoutMs`; it is removed after this call. */
  isTimingOut(): boolean
}

/**
 * Returns the element to emit for a value; undefined for none. Called without a value when the key
 * times out.
 */
export type StateMapping<K extends Key, V, S, M> = (
  key: K,
  value: V | undefined,
  state: State<S>,
) => M | undefined

export interface MapWithStateOptions<K extends Key, S> extends OperatorOptions {
  /**
   * Nominal (processing) time without a value after which the function is called once more for a
   * key and its state is removed; in ms. Downtime of the job counts, as for `ttlMs`.
   */
  readonly timeoutMs?: number
  /**
   * Nominal (processing) time after the last value of a key at which its state is removed without a
   * call; in ms, never by default. For a state stored before the option was set, it counts from the
   * next value.
   */
  readonly ttlMs?: number
  /** Initial states: an array of pairs, or a Map. Ignored once a state exists. */
  readonly initialState?: Iterable<readonly [key: K, state: S]>
  /** Codec of the states. */
  readonly codec?: StateCodec<S>
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

  const call = (key: K, value: V | undefined, state: State<S>, scope: KeyScope<Kept<S>>) => {
    const mapped = map(key, value, state)
    if (mapped !== undefined) scope.emit(mapped)
  }
  const timeOut = (key: K, value: S, scope: KeyScope<Kept<S>>) => {
    if (isCalled) call(key, undefined, new TimedOutState<S>(value), scope)
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
      const state = new StateInHand<S>(kept, scope)
      for (const value of values) call(key, value, state, scope)
      state.store()
    },
    onTimer(key, timer, scope) {
      const expired = timer.tag === expiryTag ? kept.expire(timer, scope) : undefined
      if (expired) timeOut(key, expired.value, scope)
    },
    ...initialOf(initialState, kept),
  }
}

/**
 * A state that is an object is stored at each `update` and decoded at each `get`: a function that
 * changes and returns the object that it received must not change what it returned for the previous
 * value. Other states are written once, after the last value of the key in the batch.
 */
class StateInHand<S> implements State<S> {
  readonly #kept: KeptValues<S>
  readonly #scope: KeyScope<Kept<S>>
  /** An object is returned once, and decoded again after that. */
  #state: S | undefined
  #isHandedOut = false
  #exists: boolean
  #isChanged = false

  constructor(kept: KeptValues<S>, scope: KeyScope<Kept<S>>) {
    this.#kept = kept
    this.#scope = scope
    this.#state = kept.get(scope)
    this.#exists = this.#state !== undefined
  }

  /** Whether the key has a state. */
  exists(): boolean {
    return this.#exists
  }

  get(): S | undefined {
    if (!this.#exists) return undefined
    if (this.#isHandedOut) this.#state = this.#kept.get(this.#scope)
    this.#isHandedOut = isObject(this.#state)
    return this.#state
  }

  update(state: S): void {
    requireState(state)
    this.#state = state
    this.#exists = true
    // The caller still holds the object, and may change it.
    this.#isHandedOut = isObject(state)
    this.#isChanged = !this.#isHandedOut
    if (this.#isHandedOut) this.#kept.set(this.#scope, state)
  }

  /** Removes the state of the key. */
  remove(): void {
    this.#state = undefined
    this.#exists = false
    this.#isHandedOut = false
    this.#isChanged = true
  }

  isTimingOut(): boolean {
    return false
  }

  store(): void {
    if (!this.#isChanged) this.#kept.touch(this.#scope)
    else if (this.#exists) this.#kept.set(this.#scope, this.#state!)
    else this.#scope.delete()
  }
}

class TimedOutState<S> implements State<S> {
  #state: S | undefined

  constructor(state: S) {
    this.#state = state
  }

  /** Whether the key has a state. */
  exists(): boolean {
    return this.#state !== undefined
  }

  get(): S | undefined {
    return this.#state
  }

  update(state: S): void {
    requireState(state)
    throw new Error('a state that is timing out cannot be updated')
  }

  /** Removes the state of the key. */
  remove(): void {
    this.#state = undefined
  }

  isTimingOut(): boolean {
    return true
  }
}

function requireState(state: unknown): void {
  if (state === undefined)
    throw new TypeError('a state must not be undefined; call remove() instead')
}
