// The streams that keep state per key, as plans of RDDs: what updateStateByKey and the window that
// adds and subtracts do to the state of one partition in one batch. The state of batch N is made
// from that of N-1 by the executor that holds it, once, however often the task runs.

import { decodeKey, encodeKey, type Key } from '../rdd/key.ts'
import { type KeyedState, type Lineage, oneToOne, type Pair, type Sink } from '../rdd/lineage.ts'
import type { RddPlan } from '../rdd/narrow.ts'
import { failedAtKey } from '../userCode.ts'

/** The new state of a key from its values in this batch (perhaps none); undefined forgets the key. */
export type StateUpdate<V, S> = (values: readonly V[], state: S | undefined) => S | undefined

/** Calls `update` for each key that has a value or a state. */
export function updateStateByKey<K extends Key, V, S>(
  groups: Lineage<Pair<K, readonly V[]>>,
  operator: string,
  update: StateUpdate<V, S>,
): RddPlan<Pair<K, S>> {
  return {
    name: 'updateStateByKey',
    partitionCount: groups.partitionCount,
    partitioner: groups.partitioner,
    dependencies: [oneToOne(groups)],
    affinity: (partition) => ({ kind: 'state', slot: partition }),
    async compute(partition, task, sink) {
      const arrived = new Map<string, readonly V[]>()
      await groups.compute(partition, task, ([key, values]) => {
        arrived.set(encodeKey(key), values)
      })
      const change = (key: string, values: readonly V[], before: S | undefined) => {
        try {
          return update(values, before)
        } catch (error) {
          throw failedAtKey(error, `updateStateByKey '${operator}'`, decodeKey(key))
        }
      }
      const entries = await task.updateState(operator, partition, (state) => {
        for (const [key, before] of state.entries()) {
          if (!arrived.has(key)) put(state, key, change(key, [], before as S))
        }
        for (const [key, values] of arrived) {
          put(state, key, change(key, values, state.get(key) as S | undefined))
        }
      })
      pushEntries(entries, sink)
    },
  }
}

export interface InverseWindow<K extends Key, V> {
  reduce(left: V, right: V): V
  /** Takes out of a reduced value what `reduce` put in: `inverse(reduce(a, b), b)` equals `a`. */
  inverse(total: V, leaving: V): V
  /** Which keys are kept; all, unless given. Drop only keys that nothing in the window stands for. */
  readonly filter?: ((value: V, key: K) => boolean) | undefined
}

/** One batch as it enters or leaves a window, reduced by key. */
export interface ReducedBatch<K extends Key, V> {
  readonly batchId: number
  readonly rdd: Lineage<Pair<K, V>>
}

/** Not a key: those begin with a letter (see encodeKey). */
const sinceKey = '#since'

/**
 * Adds what enters and takes out what leaves. A state notes the first batch it has seen and never
 * subtracts an older one: so a window that is new to a job that was running fills up correctly.
 */
export function slideWindow<K extends Key, V>(
  entering: readonly ReducedBatch<K, V>[],
  leaving: readonly ReducedBatch<K, V>[],
  shape: Pick<Lineage<Pair<K, V>>, 'partitionCount' | 'partitioner'>,
  operator: string,
  window: InverseWindow<K, V>,
): RddPlan<Pair<K, V>> {
  return {
    name: 'reduceByKeyAndWindow',
    partitionCount: shape.partitionCount,
    partitioner: shape.partitioner,
    dependencies: [...entering, ...leaving].map(({ rdd }) => oneToOne(rdd)),
    affinity: (partition) => ({ kind: 'state', slot: partition }),
    async compute(partition, task, sink) {
      const gather = async ({ batchId, rdd }: ReducedBatch<K, V>) => {
        const pairs: Pair<K, V>[] = []
        await rdd.compute(partition, task, (pair) => pairs.push(pair))
        return { batchId, pairs }
      }
      const left = await Promise.all(leaving.map(gather))
      const entered = await Promise.all(entering.map(gather))
      const entries = await task.updateState(operator, partition, (state) =>
        applySlide(state, entered, left, atKey(operator, window), window.filter !== undefined),
      )
      pushEntries(entries, sink)
    },
  }
}

/** The window's functions, whose failures say at which key. */
function atKey<K extends Key, V>(operator: string, window: InverseWindow<K, V>) {
  return <T>(key: string, call: (window: InverseWindow<K, V>) => T): T => {
    try {
      return call(window)
    } catch (error) {
      throw failedAtKey(error, `reduceByKeyAndWindow '${operator}'`, decodeKey(key))
    }
  }
}

interface GatheredBatch<K extends Key, V> {
  readonly batchId: number
  readonly pairs: readonly Pair<K, V>[]
}

function applySlide<K extends Key, V>(
  state: KeyedState,
  entered: readonly GatheredBatch<K, V>[],
  left: readonly GatheredBatch<K, V>[],
  at: ReturnType<typeof atKey<K, V>>,
  hasFilter: boolean,
): void {
  const since = (state.get(sinceKey) as number | undefined) ?? entered[0]?.batchId
  if (since === undefined) return
  state.set(sinceKey, since)
  const touched = new Set<string>()
  for (const { batchId, pairs } of left) {
    if (batchId < since) continue
    for (const [key, value] of pairs) {
      const stored = encodeKey(key)
      const before = state.get(stored) as V | undefined
      if (before === undefined) continue
      const remaining = at(stored, ({ inverse }) => inverse(before, value))
      state.set(stored, remaining)
      touched.add(stored)
    }
  }
  for (const { pairs } of entered) {
    for (const [key, value] of pairs) {
      const stored = encodeKey(key)
      const before = state.get(stored) as V | undefined
      const total = before === undefined ? value : at(stored, ({ reduce }) => reduce(before, value))
      state.set(stored, total)
      touched.add(stored)
    }
  }
  if (!hasFilter) return
  for (const key of touched) {
    const isKept = at(
      key,
      ({ filter }) => filter?.(state.get(key) as V, decodeKey(key) as K) ?? true,
    )
    if (!isKept) state.delete(key)
  }
}

function put(state: KeyedState, key: string, value: unknown): void {
  if (value === undefined) state.delete(key)
  else state.set(key, value)
}

function pushEntries<K extends Key, V>(
  entries: readonly (readonly [string, unknown])[],
  sink: Sink<Pair<K, V>>,
): void {
  for (const [key, value] of entries) {
    if (key !== sinceKey) sink([decodeKey(key) as K, value as V])
  }
}
