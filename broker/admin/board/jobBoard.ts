// The jobs on the board: their latest reports, compared with the records that the broker has
// stored.

import type { JobStatus } from '../../../protocol/telemetry/status/status.ts'
import type { JobPicture, SlowBatchPicture, ViewPicture } from './picture.ts'
import { type Heard, Programs, reportedMs, silentAfterMs } from './programs.ts'
import type { TopicSample } from './topicSamples.ts'

/** Number of latest batches that a job's rate is computed over. */
const batchesOfRate = 5
/**
 * Minimum duration of a running batch to be shown, in addition to its interval: most end before.
 */
const shownBatchMs = 2_000
/** Most rows of a view that are shown, largest first. */
const mostRows = 50

/** Earlier counts of a job are kept for as long as a picture may lag behind the latest report. */
const keptMs = 4_000
const mostCounts = 20

/** A job's position in its topics, at the moment of a sample. */
export interface JobPosition {
  readonly stored: number
  /** Records below the positions of the job. */
  readonly passed: number
}

/** A job's count of records at one report. */
interface Count {
  readonly timeMs: number
  readonly recordsTotal: number
  readonly positions: NonNullable<JobStatus['positions']>
}

interface HeardJob extends Heard<JobStatus> {
  /** Counts of the latest reports, oldest first. */
  readonly counts: readonly Count[]
}

export class JobBoard {
  readonly #jobs = new Programs<JobStatus, HeardJob>()

  hear(status: JobStatus, nowMs: number): void {
    if (!this.#jobs.isNews(status)) return
    const { recordsTotal, positions = [] } = status
    const count = { timeMs: reportedMs({ status, heardMs: nowMs }), recordsTotal, positions }
    const earlier = this.#jobs.get(status.id)?.counts ?? []
    const isKept = ({ timeMs }: Count) => timeMs <= count.timeMs && count.timeMs - timeMs <= keptMs
    const counts = [...earlier.filter(isKept), count]
    this.#jobs.set({ status, heardMs: nowMs, counts: counts.slice(-mostCounts) })
  }

  delete(id: string): void {
    this.#jobs.delete(id)
  }

  forget(nowMs: number): void {
    this.#jobs.forget(nowMs)
  }

  pictures(sample: TopicSample, nowMs: number): JobPicture[] {
    return this.#jobs.sorted().map((heard) => picture(heard, sample, nowMs))
  }

  /** Positions by job id; a job that reports none is left out. */
  positions(sample: TopicSample): ReadonlyMap<string, JobPosition> {
    const positions = this.#jobs.sorted().flatMap((heard) => {
      const position = positionOf(countAt(heard, sample), sample)
      return position ? [[heard.status.id, position] as const] : []
    })
    return new Map(positions)
  }
}

function picture(heard: HeardJob, sample: TopicSample, nowMs: number): JobPicture {
  const { status, heardMs } = heard
  const isRunning = status.state === 'running'
  const ageMs = Math.max(0, nowMs - heardMs)
  const silent = isRunning && ageMs > silentAfterMs
  const count = countAt(heard, sample)
  const position = positionOf(count, sample)
  const lagRecords = position ? position.stored - position.passed : status.lagRecords
  const lastBatch = status.batches.at(-1)
  return {
    id: status.id,
    name: status.name,
    state: status.state,
    error: status.error,
    host: status.host,
    address: status.address,
    slowBatch: silent || !isRunning ? undefined : slowBatch(heard, nowMs),
    rejected: status.rejected,
    lostRecords: status.lostRecords ?? 0,
    lateRows: status.lateRows ?? 0,
    topics: status.topics,
    batchIntervalMs: status.batchIntervalMs,
    recordsTotal: count.recordsTotal,
    recordsPerSecond: silent || !isRunning ? null : batchRate(status),
    lagRecords,
    lagMs: lag(status, lagRecords, heardMs, nowMs),
    latencyMs: silent || !lastBatch?.records ? null : (lastBatch.latencyMs ?? null),
    lastBatch,
    slowBatches: slowBatches(status),
    views: status.views.map(shown),
    ageMs,
    silent,
  }
}

/**
 * How far results are behind. A batch takes all records stored when it is planned, so in steady
 * state a result is behind by at most the interval and the batch's delay, whenever it is measured.
 * It is behind by more if batches are late, or leave records for the next batch.
 */
function lag(status: JobStatus, waiting: number, heardMs: number, nowMs: number): number | null {
  const last = status.batches.at(-1)
  if (!last) return waiting === 0 ? 0 : null
  if (waiting === 0 && (last.records === 0 || status.state !== 'running')) return 0
  const steadyMs = status.batchIntervalMs + last.totalDelayMs
  const sincePlannedMs = nowMs - heardMs + (status.timeMs - last.timeMs)
  const dueMs = status.state === 'running' ? steadyMs + 2 * status.batchIntervalMs : 0
  const isOverdue = waiting > 0 && sincePlannedMs > dueMs
  const backlogMs = status.lagRecords > 0 ? (last.latencyMs ?? 0) : 0
  return Math.max(steadyMs, isOverdue ? sincePlannedMs : 0, backlogMs)
}

/** The count of the job when the sample was taken; the oldest known count if all are later. */
function countAt({ counts }: HeardJob, sample: TopicSample): Count {
  return counts.findLast(({ timeMs }) => timeMs <= sample.timeMs) ?? counts[0]!
}

function positionOf({ positions }: Count, { topics }: TopicSample): JobPosition | undefined {
  if (positions.length === 0) return undefined
  let [stored, passed] = [0, 0]
  for (const { topic, partition, until } of positions) {
    const logs = topics.get(topic)?.partitions
    const log = logs?.[partition] ?? logs?.find((other) => other.partition === partition)
    if (log === undefined || log.highWatermark === null) continue
    stored += log.highWatermark
    // The position exceeds the log only if clocks differ: no record is counted before it is stored.
    passed += Math.min(until, log.highWatermark)
  }
  return { stored, passed }
}

/**
 * The running batch: its duration by the job's clock up to the report, by the console's since then.
 */
function slowBatch({ status, heardMs }: HeardJob, nowMs: number): SlowBatchPicture | undefined {
  const { progress, timeMs, batchIntervalMs } = status
  if (!progress) return undefined
  const runningMs = nowMs - heardMs + (timeMs - progress.sinceMs)
  if (runningMs < Math.max(shownBatchMs, batchIntervalMs)) return undefined
  return { text: progress.text, runningMs }
}

function slowBatches({ batches, batchIntervalMs }: JobStatus): number {
  const quick = batches.findLastIndex((batch) => batch.processingTimeMs <= batchIntervalMs)
  return batches.length - 1 - quick
}

/** Records per second over the latest batches: unlike reports, batches come at a fixed interval. */
function batchRate({ batches, batchIntervalMs }: JobStatus): number | null {
  const newest = batches.slice(-batchesOfRate)
  if (newest.length === 0) return null
  const spanMs = newest.at(-1)!.timeMs - newest[0]!.timeMs + batchIntervalMs
  return (newest.reduce((sum, { records }) => sum + records, 0) / spanMs) * 1000
}

/** A view with its largest rows, in the order of the job. */
function shown(view: JobStatus['views'][number]): ViewPicture {
  const total = view.rows.reduce((sum, [, value]) => sum + value, 0)
  if (view.rows.length <= mostRows) return { ...view, total, rowsLeftOut: 0 }
  const least = view.rows.map(([, value]) => value).sort((a, b) => b - a)[mostRows - 1]!
  const rows = view.rows.filter(([, value]) => value >= least).slice(0, mostRows)
  return { ...view, rows, total, rowsLeftOut: view.rows.length - rows.length }
}
