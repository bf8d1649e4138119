// The state of a partition with all of its keys at hand, for operators that visit every key in a batch.

import type { KeyedState } from '../rdd/lineage.ts'
import { OperatorState } from '../state/operatorState.ts'
import type { StateStore } from '../state/stateStore.ts'
import { v8Codec } from '../state/v8Codec.ts'
import type { StateEntries } from './task.ts'

/** Runs `change` on the state before batch `batchId`, commits, and returns all entries after it. */
export async function changeWholeState(
  store: StateStore,
  batchId: number,
  change: (state: KeyedState) => void,
): Promise<StateEntries> {
  const transaction = await store.begin(batchId)
  const keys = new Set<string>()
  await store.scan((key) => keys.add(key))
  await transaction.load(keys)
  const state = new OperatorState(transaction, v8Codec, { isDone: true })
  const whole: KeyedState = {
    get: (key) => (keys.has(key) ? state.get(key) : undefined),
    set(key, value) {
      state.set(key, value)
      keys.add(key)
    },
    delete(key) {
      state.delete(key)
      keys.delete(key)
    },
    *entries() {
      for (const key of [...keys]) if (keys.has(key)) yield [key, state.get(key)]
    },
  }
  change(whole)
  const entries = [...whole.entries()]
  await transaction.commit()
  return entries
}
