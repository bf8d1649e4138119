// Rows with their event times: how a stream gets them, and what it tells the watermark. Each task reports
// the largest time that it has met in a topic partition; watermarks are planned from what committed
// batches have reported, so that a batch that runs again has the one that it had.

import type { WatermarkSpec } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { Key } from '../rdd/key.ts'
import { type Lineage, oneToOne } from '../rdd/lineage.ts'
import type { RddPlan } from '../rdd/narrow.ts'
import { Rdd } from '../rdd/rdd.ts'
import type { DStream, StreamPlan } from './dstream.ts'

/** A row and when it happened. */
export interface TimedRow<T> {
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  readonly row: T
}

/** A row that has come too late to count. */
export interface LateRow<K extends Key, T> extends TimedRow<T> {
  readonly key: K
}

/** How late rows may come. */
export interface WatermarkOptions {
  /**
   * How far the watermark stays behind the largest event time of each partition, in ms: how much disorder
   * there may be. A row that comes later than that may be late.
   */
  readonly delayMs: number
  /**
   * A partition that has had no row for so long, in nominal (processing) time, while everything in it was
   * read, no longer holds the watermark up, nor does a stream of such partitions hold up that of a union. In
   * ms, 10 s unless given.
   */
  readonly idleTimeoutMs?: number
  /** Names the watermark; by its topics unless given, so a second one of the same topics needs a uid. */
  readonly uid?: string
}

/** When a row happened: milliseconds since the epoch (fractions are dropped), or a Date. */
export type TimeOf<T> = (row: T) => number | Date

const defaultIdleTimeoutMs = 10_000
/** As far as a Date goes. */
const largestTimeMs = 8.64e15

export function watermarkPlan<T>(
  parent: DStream<T>,
  timeOf: TimeOf<T>,
  options: WatermarkOptions,
): StreamPlan<TimedRow<T>> & { readonly watermark: WatermarkSpec } {
  const { delayMs, idleTimeoutMs = defaultIdleTimeoutMs } = options
  requireMs('delayMs', delayMs)
  requireMs('idleTimeoutMs', idleTimeoutMs)
  const topics = topicsOf(parent)
  const uid = parent.builder.watermarkUid(topics, options.uid)
  return {
    name: 'withWatermark',
    detail: `${uid} ${delayMs} ${idleTimeoutMs}`,
    parents: [parent],
    slideMs: parent.slideMs,
    isNarrow: true,
    watermark: { uid, delayMs, idleTimeoutMs, topics },
    rdd({ rddOf, context }) {
      const timed = rddOf(parent)?.map((row): TimedRow<T> => {
        return { timeMs: eventTimeOf(row, timeOf), row }
      })
      return timed && new Rdd(context, noting(timed, uid))
    },
  }
}

/** Tells the watermark of the rows that pass, once a task. */
function noting<T>(rows: Lineage<TimedRow<T>>, uid: string): RddPlan<TimedRow<T>> {
  const sources = Array.from({ length: rows.partitionCount }, (_, at) => sourceOf(rows, at))
  return {
    name: 'withWatermark',
    partitionCount: rows.partitionCount,
    dependencies: [oneToOne(rows)],
    rejects: rows.rejects,
    async compute(partition, task, sink) {
      let largestMs = -Infinity
      await rows.compute(partition, task, (timed) => {
        if (timed.timeMs > largestMs) largestMs = timed.timeMs
        sink(timed)
      })
      if (largestMs > -Infinity) task.noteEventTime(uid, sources[partition]!, largestMs)
    },
  }
}

/** Names the watermark of a union; that of a single `withWatermark` is its own. No uid has a '+'. */
export function unionUid(uids: readonly string[]): string {
  return uids.toSorted().join('+')
}

/** Throws what is reported as an error of the record. */
function eventTimeOf<T>(row: T, timeOf: TimeOf<T>): number {
  const given = timeOf(row)
  const timeMs = given instanceof Date ? given.getTime() : given
  if (typeof timeMs === 'number' && Math.abs(timeMs) <= largestTimeMs) return Math.floor(timeMs) + 0 // and not -0
  throw new RangeError(
    `the event time of the row is ${printed(given)}: withWatermark takes milliseconds since the epoch or a Date`,
  )
}

function printed(given: unknown): string {
  if (given instanceof Date) return 'an invalid Date'
  return typeof given === 'number' ? String(given) : `a value of type ${typeof given}`
}

/** The topic partition that a partition is read from. */
function sourceOf(rdd: Lineage<unknown>, partition: number): string {
  let at: number | undefined = partition
  for (let each: Lineage<unknown> | undefined = rdd; each; ) {
    const range = each.range?.(at)
    if (range) return `${range.topic}-${range.partition}`
    let parent: Lineage<unknown> | undefined
    for (const dependency of each.dependencies) {
      const of: number | undefined =
        dependency.kind === 'narrow' ? dependency.parentOf(at) : undefined
      if (of === undefined) continue
      parent = dependency.parent
      at = of
      break
    }
    each = parent
  }
  throw noTopic(`transform has made '${rdd.name}' of more than one topic partition`)
}

/** The topics that the rows of a stream come from. Throws when something other than narrow operators is between. */
function topicsOf(stream: DStream<unknown>): string[] {
  const topics = new Set<string>()
  const above = new Set<DStream<unknown>>([stream])
  for (const { plan } of above) {
    if (plan.watermark) throw noTopic('the rows have a watermark already')
    if (plan.topic !== undefined) topics.add(plan.topic)
    else if (!plan.isNarrow) throw noTopic(`${plan.name} comes before`)
    for (const parent of plan.parents) above.add(parent)
  }
  return [...topics].sort()
}

function noTopic(why: string): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `withWatermark follows the partitions of a topic, and ${why}: put it right after fromTopic, or after ` +
      'map, flatMap, filter, mapPartitions and union alone',
  )
}

function requireMs(option: string, givenMs: number): void {
  if (Number.isSafeInteger(givenMs) && givenMs >= 0) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `withWatermark takes ${option} as a whole number of milliseconds from 0 on, not ${givenMs}`,
  )
}

/** Rows of the same time stay in the order in which they have arrived. */
export function inEventOrder<T>(rows: readonly TimedRow<T>[]): readonly TimedRow<T>[] {
  return rows.toSorted((one, other) => one.timeMs - other.timeMs)
}
