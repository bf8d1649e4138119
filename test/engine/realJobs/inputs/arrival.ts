// The order in which rows arrive: most are delayed by less than a bound, so that the rows of a log
// are out of order by less than it, and some are much later. Deterministic for a seed.

import { type Random, seededRandom } from '../../../../protocol/runtime/random.ts'

/** A row of an input with the time at which it happened, and its text as it is in the topic. */
export interface Line<Row> {
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  readonly row: Row
  readonly text: string
}

/** A record of a topic: a line, or text that is none. */
export type Arrival<Row> = Line<Row> | { readonly bad: string }

export interface Disorder {
  readonly seed: number
  /** Rows are delayed by less than so much event time. */
  readonly boundMs: number
  /** How many rows of a thousand are late, by `lateMs` at least and three times as much at most. */
  readonly latePerThousand?: number
  readonly lateMs?: number
  /** Texts that are no lines, spread evenly among the others. */
  readonly bad?: readonly string[]
}

/** `lines` may be in any order. */
export function arrivals<Row>(
  lines: readonly Line<Row>[],
  { seed, boundMs, latePerThousand = 0, lateMs = 0, bad = [] }: Disorder,
): Arrival<Row>[] {
  const random = seededRandom(seed)
  const isLate = () => random.below(1000) < latePerThousand
  const placed: { atMs: number; record: Arrival<Row> }[] = lines.map((line) => {
    const delayMs = isLate() ? lateMs + random.below(2 * lateMs) : random.below(boundMs)
    return { atMs: line.timeMs + delayMs, record: line }
  })
  placed.sort((one, other) => one.atMs - other.atMs)
  const found = placed.map(({ record }) => record)
  for (const [at, text] of bad.entries()) {
    found.splice(Math.floor(((at + 0.5) * found.length) / bad.length), 0, { bad: text })
  }
  return found
}

/** Event times from `startMs` on, with gaps of `meanGapMs` on average. */
export function* passingTimes(
  random: Random,
  startMs: number,
  meanGapMs: number,
): Generator<number, never> {
  for (let timeMs = startMs; ; timeMs += random.below(2 * meanGapMs)) yield timeMs
}

/** One of few, the first ones far more often than the last. */
export function skewed<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random.float() ** 3 * choices.length)]!
}

/**
 * The arrivals, and one more line for each partition, so late that it closes every window before
 * it.
 */
export function closed<Row>(
  arrived: readonly Arrival<Row>[],
  partitions: number,
  line: (timeMs: number) => Line<Row>,
  afterMs: number,
): Arrival<Row>[] {
  let lastMs = -Infinity
  for (const each of arrived) if (!('bad' in each)) lastMs = Math.max(lastMs, each.timeMs)
  return [...arrived, ...Array.from({ length: partitions }, () => line(lastMs + afterMs))]
}
