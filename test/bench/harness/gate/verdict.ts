// The verdict on the pairs of runs of one figure: is this commit slower than the other one, and how
// sure is that?

import { median, relativeSpread } from '../measure.ts'
import { shiftOf } from './signedRank.ts'

/** A row fails if even the upper end of its interval is below it. */
export const leastSpeed = 0.95
const confidence = 0.95

/** One figure of both commits, measured one right after the other. */
export interface Pair {
  readonly ours: number
  readonly theirs: number
}

export interface GateRow {
  readonly name: string
  readonly unit: string
  /** Medians over the pairs. */
  readonly ours: number
  readonly theirs: number
  /** Spread of the figures: half the range of their middle half, as a share of the median. */
  readonly oursSpread: number
  readonly theirsSpread: number
  /** Speed of this commit relative to the other: above 1 is faster, for rates and for times. */
  readonly speed: number
  /** The 95 % confidence interval of the speed; undefined with fewer than six pairs. */
  readonly interval: readonly [low: number, high: number] | undefined
  readonly pairs: number
  readonly verdict: Verdict
}

export type Verdict =
  /** More than 5 % slower, with confidence. */
  | 'slower'
  /** Possibly more than 5 % slower: more pairs would decide. */
  | 'unsure'
  | 'passed'
  /** Not a speed: shown, not judged. */
  | 'shown'

/** The row of a figure; `pairs` must not be empty. */
export function gateRow(name: string, unit: string, pairs: readonly Pair[]): GateRow {
  const sign = isRate(unit) ? 1 : -1
  const logarithms = pairs.map((pair) => sign * Math.log(pair.ours / pair.theirs))
  const { estimate, interval } = shiftOf(logarithms, confidence)
  const speed = Math.exp(estimate)
  const speeds = interval && ([Math.exp(interval[0]), Math.exp(interval[1])] as const)
  const ours = pairs.map((pair) => pair.ours)
  const theirs = pairs.map((pair) => pair.theirs)
  return {
    name,
    unit,
    ours: median(ours),
    theirs: median(theirs),
    oursSpread: relativeSpread(ours),
    theirsSpread: relativeSpread(theirs),
    speed,
    interval: speeds,
    pairs: pairs.length,
    verdict: isSpeed(unit) ? verdict(speed, speeds) : 'shown',
  }
}

function verdict(speed: number, interval: GateRow['interval']): Verdict {
  if (interval && interval[1] < leastSpeed) return 'slower'
  return speed < leastSpeed ? 'unsure' : 'passed'
}

/** All other figures, such as times and sizes, are better if they are lower. */
function isRate(unit: string): boolean {
  return unit.endsWith('/s')
}

/** Rates and times, including processor time per unit of work; no sizes. */
function isSpeed(unit: string): boolean {
  return isRate(unit) || /^(?:µs|ms|s)(?:\/|$)/.test(unit)
}
