// reduceByKeyAndWindow with an inverse: the total of a window, to which each batch adds its values
// and from which it subtracts those that leave. Leaving values are read from the state exactly as
// they were added: nothing is recomputed, so after a change of the code or source, results are
// affected for one window at most.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { Key } from '../../keys/key.ts'
import type { StateTimer } from '../../state/keyedState.ts'
import type { StorableState } from '../../state/storedValue.ts'
import type { KeyedOperator } from '../operators/keyedOperator.ts'
import { copyOf } from '../operators/plainCopy.ts'
import { type OperatorOptions, statefulContract } from '../operators/statefulContract.ts'
import type { StreamBuilder } from '../streamPlan.ts'

export interface ReduceWindowOptions<K extends Key, V> extends OperatorOptions {
  /**
   * Subtracts from a reduced value what `reduce` added: `inverse(reduce(a, b), b)` equals `a`. With
   * it, a batch costs what enters and leaves the window, not the whole window. Inexact for
   * fractions.
   */
  readonly inverse?: ((total: V, leaving: V) => V) & StorableState<V>
  /**
   * Filters the keys that a window with an inverse emits. Keys with nothing left in the window are
   * always dropped; in Spark they stay unless a filter drops them.
   */
  readonly filter?: (value: V, key: K) => boolean
}

export interface InverseWindow<V> {
  reduce(left: V, right: V): V
  inverse(total: V, leaving: V): V
}

/** The value that one batch added. */
type Pane<V> = readonly [enteredMs: number, value: V]

/**
 * The window of a key. Panes are stored in bundles, in order of arrival: the newest bundle and the
 * oldest one are stored here; full bundles in between are parts of the key, by the time of their
 * first pane. So a batch costs what enters and leaves, not the panes that stay, and after a pause,
 * when all panes leave, the cost is one read per bundle.
 */
export interface WindowTotal<V> {
  /** Number of panes in the window. */
  readonly panes: number
  /** Omitted for a single pane, which is its own total: accumulated rounding errors end there. */
  readonly total?: V
  readonly oldest: readonly Pane<V>[]
  readonly newest: readonly Pane<V>[]
}

/** Panes per bundle, which is written as a whole. */
const mostPanes = 16

/** Tags of timers: the first pane of a bundle is due, or the next pane of the oldest bundle. */
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
      assert(
        lastMs < timeMs,
        'the nominal time of a batch must be after that of the previous batch',
      )
      if (newest.length >= mostPanes) {
        scope.setPart(newest[0]![0], newest)
        newest = []
      }
      if (newest.length === 0) scope.setTimer('processing', timeMs + windowMs, timerTag.bundle)
      newest = [...newest, [timeMs, copyOf(value)]]
      if (before === undefined) scope.set({ panes: 1, oldest: [], newest })
      else {
        // Copies: a function that changes its arguments must not change values that leave later.
        const total = reduce(copyOf(totalOf(before)), copyOf(value))
        scope.set({ panes: before.panes + 1, total, oldest: before.oldest, newest })
      }
    },
    duePart: (timer) => (timer.tag === timerTag.bundle ? enteredMs(timer) : undefined),
    /**
     * Subtracts all panes of the oldest bundle that have left, so that after a pause each bundle
     * costs only once.
     */
    onTimer(_key, timer, scope) {
      const before = scope.get()!
      let { panes, total, oldest, newest } = before
      if (timer.tag === timerTag.bundle) {
        assert(oldest.length === 0, 'a bundle must leave only after the previous one has left')
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

/** The `entries` of the table that the window emits. */
export function shownWindow<K extends Key, V>(filter: ((value: V, key: K) => boolean) | undefined) {
  return (key: K, stored: WindowTotal<V>): (readonly [K, V])[] => {
    const total = totalOf(stored)
    return filter === undefined || filter(total, key) ? [[key, total]] : []
  }
}
