// reduceByKeyAndWindow with an inverse: the total of a window, to which each batch adds what it brings and
// from which it takes what has left. What leaves is what was added, from the state: nothing is read or
// computed again, so a job whose code or source has changed can be wrong for no longer than one window.

import type { Key } from '../rdd/key.ts'
import type { StorableState } from '../state/storedValue.ts'
import type { StreamBuilder } from './dstream.ts'
import type { KeyedOperator } from './keyedOperator.ts'
import type { KeyScope } from './keyScope.ts'
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

/**
 * What a key has in the window, in all and batch by batch, oldest first. The timer for when the oldest leaves
 * is set.
 */
export interface WindowTotal<V> {
  total: V
  readonly panes: (readonly [timeMs: number, value: V])[]
}

export function inverseWindowOperator<K extends Key, V>(
  builder: StreamBuilder,
  window: InverseWindow<V>,
  options: OperatorOptions & { readonly windowMs: number; readonly slideMs: number },
): KeyedOperator<K, V, WindowTotal<V>> {
  const { windowMs, slideMs } = options
  const shape = `window ${windowMs} ${slideMs}`
  return {
    contract: {
      ...statefulContract(builder, 'reduceByKeyAndWindow', { ...options, shape }),
      shown: (stored) => (stored as WindowTotal<V>).total,
    },
    onArrived(_key, value, scope) {
      const { timeMs } = scope.batch
      const before = remaining(window, windowMs, scope)
      scope.set({
        total: before === undefined ? value : window.reduce(before.total, value),
        panes: [...(before?.panes ?? []), [timeMs, value]],
      })
      if (before === undefined) scope.setTimer('processing', timeMs + windowMs, 0)
    },
    onTimer(_key, _timer, scope) {
      const left = remaining(window, windowMs, scope)
      if (left === undefined) {
        scope.delete()
        return
      }
      scope.set(left)
      scope.setTimer('processing', left.panes[0]![0] + windowMs, 0)
    },
  }
}

/** Without the batches that have left the window. */
function remaining<V>(
  { inverse }: InverseWindow<V>,
  windowMs: number,
  scope: KeyScope<WindowTotal<V>>,
): WindowTotal<V> | undefined {
  const window = scope.get()
  if (window === undefined) return undefined
  let { total } = window
  let left = 0
  for (const [timeMs, value] of window.panes) {
    if (timeMs + windowMs > scope.batch.timeMs) break
    left++
    if (left < window.panes.length) total = inverse(total, value)
  }
  const panes = window.panes.slice(left)
  if (panes.length === 0) return undefined
  // A single batch is its own total: what rounding has added up ends here. A copy of it, for a function that
  // changes the total that it is handed must not change what leaves later.
  return { total: panes.length === 1 ? copyOf(panes[0]![1]) : total, panes }
}

/** `entries` of the table that the window shows. */
export function shownWindow<K extends Key, V>(filter: ((value: V, key: K) => boolean) | undefined) {
  return (key: K, { total }: WindowTotal<V>): (readonly [K, V])[] =>
    filter === undefined || filter(total, key) ? [[key, total]] : []
}
