// The shift between paired measurements, with a confidence interval that assumes only a symmetric
// distribution: the Hodges-Lehmann estimate and the interval of Wilcoxon's signed-rank test. A
// single outlier hardly changes either, which matters on a machine that others use.
//
// Source: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 3rd edition, sections 3.2
// and 3.3.

export interface Shift {
  /** The median of all averages of two differences. */
  readonly estimate: number
  /** Undefined if there are too few differences for the requested confidence: 95 % needs six. */
  readonly interval: readonly [low: number, high: number] | undefined
}

/**
 * The shift of `differences`, one for each pair, with a two-sided interval of `confidence`, such as
 * 0.95.
 */
export function shiftOf(differences: readonly number[], confidence: number): Shift {
  if (differences.length === 0) throw new RangeError('a shift needs at least one difference')
  const averages = walshAverages(differences)
  const last = averages.length - 1
  const estimate = (averages[last >> 1]! + averages[(last + 1) >> 1]!) / 2
  const outside = averagesOutside(differences.length, confidence)
  if (outside === undefined) return { estimate, interval: undefined }
  return { estimate, interval: [averages[outside]!, averages[last - outside]!] }
}

/** The averages of every two differences, and of each with itself, in ascending order. */
function walshAverages(differences: readonly number[]): number[] {
  const averages: number[] = []
  for (const [at, one] of differences.entries()) {
    for (const other of differences.slice(at)) averages.push((one + other) / 2)
  }
  return averages.sort((one, other) => one - other)
}

/** Number of averages outside the interval at each end; undefined if no interval is wide enough. */
function averagesOutside(pairs: number, confidence: number): number | undefined {
  const ways = waysToRankSum(pairs)
  const allowed = ((1 - confidence) / 2) * 2 ** pairs
  let outside: number | undefined
  for (let sum = 0, cumulated = 0; sum < ways.length; sum++) {
    cumulated += ways[sum]!
    if (cumulated > allowed) break
    outside = sum
  }
  return outside
}

/** For each sum of ranks, the number of subsets of the ranks 1 to `pairs` that have it. */
function waysToRankSum(pairs: number): number[] {
  const ways = new Array<number>((pairs * (pairs + 1)) / 2 + 1).fill(0)
  ways[0] = 1
  for (let rank = 1; rank <= pairs; rank++) {
    for (let sum = ways.length - 1; sum >= rank; sum--) ways[sum]! += ways[sum - rank]!
  }
  return ways
}
