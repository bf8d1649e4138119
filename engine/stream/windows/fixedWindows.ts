// Tumbling and hopping windows by event time. A window is late, and accepts no more rows, once the
// watermark reaches its end plus the allowed lateness. Rows that are late for all of their windows
// are emitted in `late`.

import type { Key } from '../../keys/key.ts'
import type { Combiner } from '../../rdd/lineage.ts'
import type { TimedRow } from '../eventTime.ts'
import type { KeyedOperator } from '../operators/keyedOperator.ts'
import type { KeyScope } from '../operators/keyScope.ts'
import { type EventOperatorOptions, statefulContract } from '../operators/statefulContract.ts'
import type { StreamBuilder } from '../streamPlan.ts'
import {
  lateRow,
  type OpenWindow,
  type WindowAggregate,
  type WindowResult,
  windowTag,
} from './windowAggregate.ts'

export interface FixedWindows {
  readonly sizeMs: number
  /** From the start of one window to the start of the next, in ms. */
  readonly slideMs: number
  /** Windows start at multiples of the slide, plus this offset. */
  readonly offsetMs: number
  readonly latenessMs: number
}

/**
 * A map task's result for the rows of a key: values by the start of their window, and late rows.
 */
export interface WindowPart<T, A> {
  readonly values: Map<number, A>
  readonly late: TimedRow<T>[]
}

/**
 * The windows of a key, ordered by start. `hasNews`: the window has rows since its last result, and
 * the timer of the next result is set.
 */
export type StoredWindows<A> = (readonly [
  startMs: number,
  value: A,
  results: number,
  hasNews: boolean,
])[]

/** Combines the rows of a key, in a batch with this watermark. Parts are concatenated. */
export function fixedWindowCombiner<T, A>(
  windows: FixedWindows,
  aggregate: WindowAggregate<T, A>,
  watermarkMs = -Infinity,
): Combiner {
  const { sizeMs, slideMs, offsetMs, latenessMs } = windows
  const add = ({ values, late }: WindowPart<T, A>, timed: TimedRow<T>) => {
    const { timeMs, row } = timed
    const latest = Math.floor((timeMs - offsetMs) / slideMs) * slideMs + offsetMs
    let isTaken = false
    // The windows that contain the row and still accept rows, latest first.
    for (let start = latest; start > timeMs - sizeMs; start -= slideMs) {
      if (start + sizeMs + latenessMs <= watermarkMs) break
      isTaken = true
      const value = values.get(start)
      const isNew = value === undefined && !values.has(start)
      values.set(start, isNew ? aggregate.first(row) : aggregate.add(value as A, row))
    }
    if (!isTaken) late.push(timed)
  }
  return {
    create(timed) {
      const part: WindowPart<T, A> = { values: new Map(), late: [] }
      add(part, timed as TimedRow<T>)
      return [part]
    },
    mergeValue(parts, timed) {
      add((parts as WindowPart<T, A>[])[0]!, timed as TimedRow<T>)
      return parts
    },
    // Parts are reused by retried tasks: none may change after its map task.
    mergeCombined: (left, right) => [
      ...(left as WindowPart<T, A>[]),
      ...(right as WindowPart<T, A>[]),
    ],
  }
}

export function fixedWindowOperator<K extends Key, T, A>(
  builder: StreamBuilder,
  kind: 'tumbling' | 'hopping',
  windows: FixedWindows,
  aggregate: WindowAggregate<T, A>,
  options: EventOperatorOptions,
): KeyedOperator<K, readonly WindowPart<T, A>[], StoredWindows<A>> {
  const { sizeMs, slideMs, offsetMs, latenessMs } = windows
  return {
    contract: statefulContract(builder, kind, {
      ...options,
      shape: `window ${sizeMs} ${slideMs} ${offsetMs}`,
    }),
    onArrived(key, parts, scope) {
      const stored = new Map((scope.get() ?? []).map((window) => [window[0], window]))
      const before = stored.size
      let isChanged = false
      for (const { values, late } of parts) {
        for (const [startMs, value] of values) {
          const window = stored.get(startMs)
          const merged = window ? aggregate.merge(window[1], value) : aggregate.own(value)
          stored.set(startMs, [startMs, merged, window?.[2] ?? 0, true])
          if (!window?.[3]) scope.setTimer('event', startMs + sizeMs, windowTag.result)
          isChanged = true
        }
        for (const row of late) scope.emit(lateRow(key, row), 'late')
      }
      if (!isChanged) return
      const all = [...stored.values()]
      if (stored.size > before) all.sort((one, other) => one[0] - other[0])
      scope.set(all)
    },
    /**
     * Handles all due windows of the key at once, so that a jump of the watermark costs each key
     * only once.
     */
    onTimer(key, timer, scope) {
      const watermarkMs = scope.batch.watermarkMs ?? -Infinity
      const isStray = timer.tag === windowTag.cleanup && !isOfWindow(timer.timeMs, scope)
      const kept: StoredWindows<A> = []
      for (const window of scope.get() ?? []) {
        const [startMs, value, results, hasNews] = window
        const endMs = startMs + sizeMs
        if (endMs > watermarkMs) {
          kept.push(window)
          continue
        }
        if (hasNews) {
          scope.emit({ key, startMs, endMs, value, revision: results } satisfies WindowResult<K, A>)
          scope.deleteTimer('event', endMs, windowTag.result)
        }
        const cleanupMs = endMs + latenessMs
        if (cleanupMs <= watermarkMs) {
          scope.deleteTimer('event', cleanupMs, windowTag.cleanup)
          continue
        }
        if (hasNews || isStray) scope.setTimer('event', cleanupMs, windowTag.cleanup)
        kept.push(hasNews ? [startMs, value, results + 1, false] : window)
      }
      if (kept.length === 0) scope.delete()
      else scope.set(kept)
    },
  }

  /**
   * A timer that belongs to no window was set under another allowed lateness: its window needs a
   * new one.
   */
  function isOfWindow(cleanupMs: number, scope: KeyScope<StoredWindows<A>>): boolean {
    const startMs = cleanupMs - latenessMs - sizeMs
    return scope.get()?.some((window) => window[0] === startMs) ?? false
  }
}

/** Returns the windows of a key, ordered by start. */
export function openFixedWindows<K extends Key, A>(sizeMs: number) {
  return (key: K, stored: StoredWindows<A>): OpenWindow<K, A>[] =>
    stored.map(([startMs, value, results]) => {
      return { key, startMs, endMs: startMs + sizeMs, value, results }
    })
}
