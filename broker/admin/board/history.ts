// The last hour for the charts: every second of the last five minutes, and every ten seconds
// before. An unknown value stays null, so that a chart shows a gap and never a line across it.

import type { JobPicture, Picture, TopicPicture, ViewPicture } from './picture.ts'

/** Points of one second that are kept. */
export const recentLength = 300
/** Older points that are kept, each of `mergedPoints` seconds. */
export const olderLength = 330
export const mergedPoints = 10
/** Most figures of jobs in a point, which bounds its size with many jobs and keys. */
export const mostFigures = 400
/** Most keys of a view whose shares are kept. */
export const mostKeys = 11

export interface JobPoint {
  readonly recordsPerSecond: number | null
  readonly lagMs: number | null
  readonly latencyMs: number | null
  readonly schedulingDelayMs: number | null
  readonly processingTimeMs: number | null
  /** Share of each key, 0 to 1, by view; only for views with a `share` chart. */
  readonly shares: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** A flat object, so that a chart can plot it directly. */
export interface HistoryPoint {
  readonly timeMs: number
  readonly linesPerSecond: number | null
  readonly storedPerSecond: number | null
  readonly countedPerSecond: number | null
  readonly jobs: Readonly<Record<string, JobPoint>>
}

export class History {
  readonly #recent: HistoryPoint[] = []
  readonly #older: HistoryPoint[] = []
  /** Points ever added to each list: a reader's position, from which it asks for newer points. */
  #recentAdded = 0
  #olderAdded = 0

  get recent(): readonly HistoryPoint[] {
    return this.#recent
  }

  get older(): readonly HistoryPoint[] {
    return this.#older
  }

  get end(): HistoryEnd {
    return { recent: this.#recentAdded, older: this.#olderAdded }
  }

  /** Adds a point. Points that are not earlier are dropped: the clock was set back. */
  add(point: HistoryPoint): void {
    for (const points of [this.#recent, this.#older]) {
      while (points.length > 0 && points.at(-1)!.timeMs >= point.timeMs) points.pop()
    }
    this.#recent.push(point)
    this.#recentAdded++
    if (this.#recent.length < recentLength + mergedPoints) return
    this.#older.push(merged(this.#recent.splice(0, mergedPoints)))
    this.#olderAdded++
    if (this.#older.length > olderLength) this.#older.shift()
  }

  /** Returns the points added after `end` that are still kept. */
  since(end: HistoryEnd): { recent: HistoryPoint[]; older: HistoryPoint[] } {
    return {
      recent: last(this.#recent, this.#recentAdded - end.recent),
      older: last(this.#older, this.#olderAdded - end.older),
    }
  }
}

/** The position of a reader. */
export interface HistoryEnd {
  readonly recent: number
  readonly older: number
}

/** Makes a point. `topics` are all topics; the picture may hold only some of them. */
export function historyPoint(
  { timeMs, agents, jobs }: Picture,
  topics: readonly TopicPicture[],
): HistoryPoint {
  let figures = 0
  const points = jobs.flatMap((job) => {
    const shares = job.views.filter(({ chart }) => chart === 'share').map(sharesOf)
    figures += 5 + shares.reduce((sum, [, byKey]) => sum + Object.keys(byKey).length, 0)
    return figures > mostFigures ? [] : [[job.id, jobPoint(job, shares)] as const]
  })
  const lives = ({ state, silent }: { state: string; silent: boolean }) =>
    state === 'running' && !silent
  return {
    timeMs,
    linesPerSecond: sum(agents.filter(lives).map(({ linesPerSecond }) => linesPerSecond)),
    storedPerSecond: sum(topics.map(({ recordsPerSecond }) => recordsPerSecond)),
    countedPerSecond: sum(jobs.filter(lives).map(({ recordsPerSecond }) => recordsPerSecond)),
    jobs: Object.fromEntries(points),
  }
}

function jobPoint(job: JobPicture, shares: readonly (readonly [string, Shares])[]): JobPoint {
  const batch = job.silent || job.state !== 'running' ? undefined : job.lastBatch
  return {
    recordsPerSecond: rounded(job.recordsPerSecond),
    lagMs: rounded(job.lagMs),
    latencyMs: rounded(batch ? job.latencyMs : null),
    schedulingDelayMs: rounded(batch?.schedulingDelayMs ?? null),
    processingTimeMs: rounded(batch?.processingTimeMs ?? null),
    shares: batch ? Object.fromEntries(shares) : {},
  }
}

type Shares = Record<string, number>

/** Shares of the largest keys in the order of the rows; empty while the total is 0. */
function sharesOf({ name, rows, total }: ViewPicture): [string, Shares] {
  if (total <= 0) return [name, {}]
  const least = rows.map(([, value]) => value).sort((a, b) => b - a)[mostKeys - 1] ?? 0
  const largest = rows.filter(([, value]) => value >= least).slice(0, mostKeys)
  const share = (value: number) => Number((value / total).toFixed(4))
  return [name, Object.fromEntries(largest.map(([key, value]) => [key, share(value)]))]
}

/** Merges points into one: mean rates, largest delays, last shares. */
function merged(points: readonly HistoryPoint[]): HistoryPoint {
  const newest = points.at(-1)!
  const ids = new Set(points.flatMap((point) => Object.keys(point.jobs)))
  return {
    timeMs: newest.timeMs,
    linesPerSecond: mean(points.map((point) => point.linesPerSecond)),
    storedPerSecond: mean(points.map((point) => point.storedPerSecond)),
    countedPerSecond: mean(points.map((point) => point.countedPerSecond)),
    jobs: Object.fromEntries(
      [...ids].map((id) => {
        const of = (field: Exclude<keyof JobPoint, 'shares'>) =>
          points.map((point) => point.jobs[id]?.[field] ?? null)
        const job: JobPoint = {
          recordsPerSecond: mean(of('recordsPerSecond')),
          lagMs: most(of('lagMs')),
          latencyMs: most(of('latencyMs')),
          schedulingDelayMs: most(of('schedulingDelayMs')),
          processingTimeMs: most(of('processingTimeMs')),
          shares: newest.jobs[id]?.shares ?? {},
        }
        return [id, job]
      }),
    ),
  }
}

/** The mean; null if most values are unknown. */
function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  if (known.length * 2 < values.length || known.length === 0) return null
  return rounded(known.reduce((total, value) => total + value, 0) / known.length)
}

function most(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.max(...known)
}

/** The sum; null if a value is unknown: a partial sum would show a dip that never happened. */
function sum(values: readonly (number | null)[]): number | null {
  if (values.length === 0 || values.includes(null)) return null
  return rounded(values.reduce<number>((total, value) => total + value!, 0))
}

/** Rounds to at least three digits: more would only make the stream longer. */
function rounded(value: number | null): number | null {
  if (value === null) return null
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}

function last<T>(items: readonly T[], count: number): T[] {
  return count <= 0 ? [] : items.slice(-count)
}
