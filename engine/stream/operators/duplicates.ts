// Drops duplicates: passes the first row of each key, for as long as a duplicate may still arrive.

import type { Key } from '../../keys/key.ts'
import { inEventOrder, type TimedRow } from '../eventTime.ts'
import type { StreamBuilder } from '../streamPlan.ts'
import { lateRow } from '../windows/windowAggregate.ts'
import type { KeyedOperator } from './keyedOperator.ts'
import { type EventOperatorOptions, statefulContract } from './statefulContract.ts'

/**
 * `Stored` is, for each row that passed, the event time at which it is forgotten, in ascending
 * order. A row is a duplicate of one less than `withinMs` away and of no other, independent of
 * batches: after a pause, one batch may contain rows that are far apart.
 */
export function duplicatesOperator<K extends Key, T>(
  builder: StreamBuilder,
  withinMs: number,
  options: EventOperatorOptions,
): KeyedOperator<K, readonly TimedRow<T>[], readonly number[] | number> {
  return {
    contract: statefulContract(builder, 'dropDuplicatesWithinWatermark', options),
    onArrived(key, rows, scope) {
      const { watermarkMs = -Infinity } = scope.batch
      const forgets = timesOf(scope.get())
      const before = forgets.length
      for (const row of inEventOrder(rows)) {
        const { timeMs } = row
        if (timeMs < watermarkMs) {
          scope.emit(lateRow(key, row), 'late')
          continue
        }
        const forgetMs = timeMs + withinMs
        if (forgets.some((other) => Math.abs(other - forgetMs) < withinMs)) continue
        forgets.push(forgetMs)
        scope.setTimer('event', forgetMs, 0)
        scope.emit(row)
      }
      if (forgets.length > before) scope.set(forgets.sort((one, other) => one - other))
    },
    onTimer(_key, { timeMs }, scope) {
      const left = timesOf(scope.get()).filter((forgetMs) => forgetMs > timeMs)
      if (left.length === 0) scope.delete()
      else scope.set(left)
    },
  }
}

/** A key stored by an earlier version has only the time of its first row. */
function timesOf(stored: readonly number[] | number | undefined): number[] {
  if (stored === undefined) return []
  return typeof stored === 'number' ? [stored] : [...stored]
}
