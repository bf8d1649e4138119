// reduceByKeyAndWindow with an inverse: the total of a window, to which each batch adds what it brings and
// from which it takes what has left. What leaves is what was added, from the state: nothing is read or
// computed again, so a job whose code or source has changed can be wrong for no longer than one window.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Key } from '../rdd/key.ts'
import type { StateTimer } from '../state/keyedState.ts'
import type { StorableState } from '../state/storedValue.ts'
import type { StreamBuilder } from './dstream.ts'
import type { KeyedOperator } from './keyedOperator.ts'
import { copyOf } from './plainCopy.ts'
import { type OperatorOptions, statefulContract } from './statefulContract.ts'

export interface ReduceWindowOptions<K extends Key, V> extends OperatorOptions {
  /**
   * Takes out of a reduced value what `reduce` put in: `inverse(reduce(a, b), b)` equals `a`. With it a
   * batch costs what enters and leaves the window, and not the whole window. Inexact for fractions.
   */
  readonly inverse?: ((total: V, leaving: V) => V) & StorableState<V>
  /**
   * Which keys a window with an inverse shows. A key that has nothing left in the window is gone without
   * it, other than in Spark, where such keys stay unless a filter drops them.
   */
  readonly filter?: (value: V, key: K) => boolean
}

export interface InverseWindow<V> {
  reduce(left: V, right: V): V
  inverse(total: V, leaving: V): V
}

/** What a batch has brought. */
type Pane<V> = readonly [enteredMs: number, value: V]

/**
 * What a key has in the window. Panes are bundled in the order in which they enter: the bundle that they enter and
 * the one that they leave are here, and full ones between are parts of the key, by the time of their first pane. So
 * a batch costs what enters and leaves and not the panes that stay, and the window after a pause, in which all of
 * them leave, costs by the bundles.
 */
export interface WindowTotal<V> {
  /** How many are in the window. */
  readonly panes: number
  /** Not of a single pane, which is its own total: what rounding has added up ends there. */
  readonly total?: V
  readonly oldest: readonly Pane<V>[]
  readonly newest: readonly Pane<V>[]
}

/** In a bundle, which is written as a whole. */
const mostPanes = 16

/** What is due: the first pane of a bundle, or the next one of the oldest bundle. */
const timerTag = { bundle: 0, pane: 1 } as const

export function inverseWindowOperator<K extends Key, V>(
  builder: StreamBuilder,
  { reduce, inverse }: InverseWindow<V>,
  options: OperatorOptions & { readonly windowMs: number; readonly slideMs: number },
): KeyedOperator<K, V, WindowTotal<V>> {
  const { windowMs, slideMs } = options
  const shape = `window ${windowMs} ${slideMs}`
  const enteredMs = ({ timeMs }: StateTimer) => timeMs - windowMs
  return {
    contract: {
      ...statefulContract(builder, 'reduceByKeyAndWindow', { ...options, shape }),
      shown: (stored) => totalOf(stored as WindowTotal<V>),
    },
    onArrived(_key, value, scope) {
      const { timeMs } = scope.batch
      const before = scope.get()
      let newest = before?.newest ?? []
      const lastMs = newest.at(-1)?.[0] ?? -Infinity
      assert(lastMs < timeMs, 'the nominal time of a batch is after that of the batch before')
      if (newest.length >= mostPanes) {
        scope.setPart(newest[0]![0], newest)
        newest = []
      }
      if (newest.length === 0) scope.setTimer('processing', timeMs + windowMs, timerTag.bundle)
      newest = [...newest, [timeMs, copyOf(value)]]
      if (before === undefined) scope.set({ panes: 1, oldest: [], newest })
      else {
        // Copies: a function that changes what it is handed must not change what leaves later.
        const total = reduce(copyOf(totalOf(before)), copyOf(value))
        scope.set({ panes: before.panes + 1, total, oldest: before.oldest, newest })
      }
    },
    duePart: (timer) => (timer.tag === timerTag.bundle ? enteredMs(timer) : undefined),
    /** Takes out all panes of the oldest bundle that have left, so that a bundle costs once after a pause. */
    onTimer(_key, timer, scope) {
      const before = scope.get()!
      let { panes, total, oldest, newest } = before
      if (timer.tag === timerTag.bundle) {
        assert(oldest.length === 0, 'a bundle begins to leave when the one before has left')
        const firstMs = enteredMs(timer)
        if (newest[0]?.[0] === firstMs) {
          oldest = newest
          newest = []
        } else {
          oldest = scope.getPart(firstMs) as readonly Pane<V>[]
          scope.deletePart(firstMs)
        }
      }
      let left = 0
      for (const [paneMs, leaving] of oldest) {
        if (paneMs + windowMs > scope.batch.timeMs) break
        left++
        panes--
        if (panes > 1) total = inverse(total as V, leaving)
      }
      if (panes === 0) {
        scope.delete()
        return
      }
      oldest = oldest.slice(left)
      const next = oldest[0]
      if (next) scope.setTimer('processing', next[0] + windowMs, timerTag.pane)
      scope.set(
        panes === 1 ? { panes, oldest, newest } : { panes, total: total as V, oldest, newest },
      )
    },
  }
}

function totalOf<V>({ panes, total, oldest, newest }: WindowTotal<V>): V {
  return panes === 1 ? (oldest[0] ?? newest[0]!)[1] : (total as V)
}

/** `entries` of the table that the window shows. */
export function shownWindow<K extends Key, V>(filter: ((value: V, key: K) => boolean) | undefined) {
  return (key: K, stored: WindowTotal<V>): (readonly [K, V])[] => {
    const total = totalOf(stored)
    return filter === undefined || filter(total, key) ? [[key, total]] : []
  }
}
