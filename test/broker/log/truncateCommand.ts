// A command shared by the models of a log: a truncation, during which the process may end.

import fc from 'fast-check'

export interface TruncateCommand {
  readonly kind: 'truncate'
  /** Position in the log, counted from its start. */
  readonly fraction: number
  /** Number of turns of the event loop after which the process ends; undefined if it continues. */
  readonly crashAfter: number | undefined
}

export const fraction = fc.integer({ min: 0, max: 20 }).map((part) => part / 20)

export const truncateCommand: fc.Arbitrary<TruncateCommand> = fc.record({
  kind: fc.constant('truncate' as const),
  fraction,
  crashAfter: fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 150 })),
})
