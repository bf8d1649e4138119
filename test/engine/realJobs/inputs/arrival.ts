// The order in which rows arrive: most rows are delayed by less than a bound, so that the rows of a
// log are out of order by less than the bound, and some are much later. Deterministic for a seed.

import { type Random, seededRandom } from '../../../../protocol/runtime/random.ts'

/** A row of an input with its event time, and its text as stored in the topic. */
export interface Line<Row> {
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  readonly row: Row
  readonly text: string
}

/** A record of a topic: a line, or text that is not a line. */
export type Arrival<Row> = Line<Row> | { readonly bad: string }

export interface Disorder {
  readonly seed: number
  /** Upper limit of the delay of rows that are not late, in ms of event time. */
  readonly boundMs: number
  /** Number of late rows in a thousand; each is late by `lateMs` to three times `lateMs`. */
  readonly latePerThousand?: number
  readonly lateMs?: number
  /** Texts that are not lines, spread evenly among the lines. */
  readonly bad?: readonly string[]
}

/** Returns the arrivals in order of arrival. `lines` may be in any order. */
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

/** Returns one of the choices; the first choices are far more frequent than the last ones. */
export function skewed<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random.float() ** 3 * choices.length)]!
}

/**
 * Returns the arrivals, and one more line for each partition with a time so late that it closes
 * every earlier window.
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
