// The method of measurement: Millrace and the baseline in turn, in several short rounds, so that
// other load on the machine affects both alike; and medians, so that one bad round counts little.

import type { Throughput } from './row.ts'

const rounds = 9
/** A round ends here even if it is fast: what it writes must fit on the disk and in the cache. */
export const maxRoundBytes = 2 * 1024 ** 3

/** Works until `isOver` returns true; returns how much was done. */
export type Work = (
  isOver: (bytes: number) => boolean,
) => Promise<{ bytes: number; records: number }>

/** Medians over the rounds; each round takes its share of `seconds`. The first is a warm-up. */
export async function compare(
  seconds: number,
  ours: Work,
  baseline: Work,
): Promise<{ ours: Throughput; baseline: Throughput }> {
  const results = { ours: [] as Throughput[], baseline: [] as Throughput[] }
  for (let round = 0; round <= rounds; round++) {
    const roundSeconds = round === 0 ? Math.min(0.5, seconds / rounds) : seconds / rounds
    const theirs = await timed(roundSeconds, baseline)
    const mine = await timed(roundSeconds, ours)
    if (round === 0) continue
    results.baseline.push(theirs)
    results.ours.push(mine)
  }
  return { ours: medianRate(results.ours), baseline: medianRate(results.baseline) }
}

/**
 * For work that ends without a time limit: runs each in turn, all once to warm up and then until
 * `seconds` are over. Medians, in the order of `runs`.
 */
export async function compareWhole<
  const Runs extends readonly (() => Throughput | Promise<Throughput>)[],
>(seconds: number, runs: Runs): Promise<{ [Run in keyof Runs]: Throughput }> {
  const results = runs.map((): Throughput[] => [])
  for (const run of runs) await run()
  const endMs = performance.now() + seconds * 1000
  do {
    for (const [at, run] of runs.entries()) results[at]!.push(await run())
  } while (performance.now() < endMs)
  return results.map(medianRate) as { [Run in keyof Runs]: Throughput }
}

/** The same work several times concurrently, over when all of it together is enough. */
export function inParallel(times: number, work: Work): Work {
  return async (isOver) => {
    const bytes = new Array<number>(times).fill(0)
    const one = (number: number) =>
      work((done) => {
        bytes[number] = done
        return isOver(sum(bytes))
      })
    const results = await Promise.all(bytes.map((_, number) => one(number)))
    return {
      bytes: sum(results.map((result) => result.bytes)),
      records: sum(results.map((result) => result.records)),
    }
  }
}

/** Duration of a task in ms. */
export async function durationMs(task: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await task()
  return performance.now() - startMs
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** For durations of a repeated task: interference only adds to them, so the low end counts. */
export function lowerQuartile(values: readonly number[]): number {
  return quantile(values, 0.25)
}

/** Half the range of the middle half of the values, as a share of their median. */
export function relativeSpread(values: readonly number[]): number {
  return (quantile(values, 0.75) - quantile(values, 0.25)) / 2 / median(values)
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) * share)]!
}

async function timed(seconds: number, work: Work): Promise<Throughput> {
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  const done = await work((bytes) => performance.now() >= endMs || bytes >= maxRoundBytes)
  return { ...done, seconds: (performance.now() - startMs) / 1000 }
}

function medianRate(results: readonly Throughput[]): Throughput {
  const byRate = [...results].sort((one, other) => rate(one) - rate(other))
  return byRate[byRate.length >> 1]!
}

function rate({ bytes, seconds }: Throughput): number {
  return bytes / seconds
}
