// updateStateByKey: a state per key, computed from the previous one and the values of the batch.
// Unlike Spark's, it calls the job's function only for keys with values, so that the cost of a
// batch depends on its values, not on the size of the state. For keys without values, use a time to
// live, or mapWithState and transformWithState with a timer.

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
import { type OperatorOptions, statefulContract } from './statefulContract.ts'

/** Returns the new state of a key from its values in this batch; undefined removes the key. */
export type StateUpdate<V, S> = (values: readonly V[], state: S | undefined) => S | undefined

export interface UpdateStateOptions<K extends Key, S> extends OperatorOptions {
  /**
   * Nominal (processing) time after its last values at which a key is removed; in ms, never by
   * default. Downtime of the job counts. For a key stored before the option was set, it counts from
   * its next values.
   */
  readonly ttlMs?: number
  /** Initial states: an array of pairs, or a Map. Ignored once a state exists. */
  readonly initialState?: Iterable<readonly [key: K, state: S]>
  /** Codec of the states. */
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

/** The initial states of an operator that stores one value per key. */
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
