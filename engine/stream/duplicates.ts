// Lets the first row of each key through, as long as another of that key can still be expected.

import type { Key } from '../rdd/key.ts'
import type { StreamBuilder } from './dstream.ts'
import { inEventOrder, type TimedRow } from './eventTime.ts'
import type { KeyedOperator } from './keyedOperator.ts'
import { type EventOperatorOptions, statefulContract } from './statefulContract.ts'
import { lateRow } from './windowAggregate.ts'

/** The state of a key is the event time at which it is forgotten. */
export function duplicatesOperator<K extends Key, T>(
  builder: StreamBuilder,
  withinMs: number,
  options: EventOperatorOptions,
): KeyedOperator<K, readonly TimedRow<T>[], number> {
  return {
    contract: statefulContract(builder, 'dropDuplicatesWithinWatermark', options),
    onArrived(key, rows, scope) {
      const { watermarkMs = -Infinity } = scope.batch
      for (const row of inEventOrder(rows)) {
        if (row.timeMs < watermarkMs) {
          scope.emit(lateRow(key, row), 'late')
          continue
        }
        if (scope.get() !== undefined) continue
        const forgetMs = row.timeMs + withinMs
        scope.set(forgetMs)
        scope.setTimer('event', forgetMs, 0)
        scope.emit(row)
      }
    },
    onTimer: (_key, _timer, scope) => scope.delete(),
  }
}
