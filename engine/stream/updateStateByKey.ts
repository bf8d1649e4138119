// updateStateByKey: a state for each key, made from the one before and the values of the batch. Apart from
// Spark's, it calls the job's function for the keys that have values and for no others, so that a batch
// costs by what it brings and not by what is kept; what is to happen to a key without values is said by a
// time to live, or by mapWithState and transformWithState with a timer.

import type { Key } from '../rdd/key.ts'
import type { StateCodec } from '../state/stateCodec.ts'
import type { StreamBuilder } from './dstream.ts'
import {
  expiryTag,
  type Kept,
  KeptValues,
  keptCodec,
  requireDuration,
  shownOfKept,
} from './keptValue.ts'
import type { KeyedOperator } from './keyedOperator.ts'
import { type OperatorOptions, statefulContract } from './statefulContract.ts'

/** The new state of a key from its values in this batch; undefined forgets the key. */
export type StateUpdate<V, S> = (values: readonly V[], state: S | undefined) => S | undefined

export interface UpdateStateOptions<K extends Key, S> extends OperatorOptions {
  /**
   * Keys are forgotten so long, in nominal (processing) time, after their last values; the time in which the job
   * is away counts. Never unless given; a key that was kept before it was given counts from its next values.
   */
  readonly ttlMs?: number
  /** States that the job begins with: an array of pairs, a Map. Not used once there is a state. */
  readonly initialState?: Iterable<readonly [key: K, state: S]>
  /** How states become bytes. */
  readonly codec?: StateCodec<S>
}

export function updateStateOperator<K extends Key, V, S>(
  builder: StreamBuilder,
  update: StateUpdate<V, S>,
  options: UpdateStateOptions<K, S>,
): KeyedOperator<K, readonly V[], Kept<S>> {
  const { ttlMs, initialState, codec } = options
  requireDuration('updateStateByKey', 'ttlMs', ttlMs)
  const kept = new KeptValues<S>(ttlMs)
  return {
    contract: shownOfKept(
      statefulContract(builder, 'updateStateByKey', {
        ...options,
        codec: keptCodec(codec),
      }),
    ),
    onArrived(_key, values, scope) {
      const state = update(values, kept.get(scope))
      if (state === undefined) scope.delete()
      else kept.set(scope, state)
    },
    onTimer(_key, timer, scope) {
      if (timer.tag === expiryTag) kept.expire(timer, scope)
    },
    ...initialOf(initialState, kept),
  }
}

/** The initial states of an operator that keeps one value for each key. */
export function initialOf<K extends Key, S>(
  initialState: Iterable<readonly [key: K, state: S]> | undefined,
  kept: KeptValues<S>,
): Pick<KeyedOperator<K, never, Kept<S>>, 'initial'> {
  if (initialState === undefined) return {}
  const states = new Map(initialState)
  return {
    initial: {
      keys: () => states.keys(),
      store: (key, scope) => kept.set(scope, states.get(key)!),
    },
  }
}
