// Event times of rows, and the watermark's input. Each task reports the largest event time that it
// has read per topic partition; watermarks are planned from the reports of committed batches, so
// that a rerun of a batch has the same watermark.

import type { WatermarkSpec } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import { type Lineage, oneToOne } from '../rdd/lineage.ts'
import type { RddPlan } from '../rdd/narrow.ts'
import { Rdd } from '../rdd/rdd.ts'
import type { Stream, StreamPlan } from './streamPlan.ts'

/** A row with its event time. */
export interface TimedRow<T> {
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  readonly row: T
}

/** A row that arrived too late to count. */
export interface LateRow<K extends Key, T> extends TimedRow<T> {
  readonly key: K
}

/** Options of a watermark. */
export interface WatermarkOptions {
  /**
   * Allowed disorder: how far the watermark stays behind the largest event time of each partition,
   * in ms. A row with more delay may be late.
   */
  readonly delayMs: number
  /**
   * Nominal (processing) time after which a fully read partition without rows counts as idle and no
   * longer holds the watermark back; in ms, 10 s by default. A stream of idle partitions does not
   * hold back the watermark of a union either.
   */
  readonly idleTimeoutMs?: number
  /**
   * Names the watermark; derived from its topics by default. A second one of the same topics needs
   * a uid.
   */
  readonly uid?: string
}

/**
 * Returns the event time of a row, in milliseconds since the epoch (rounded down), or as a Date.
 */
export type TimeOf<T> = (row: T) => number | Date

const defaultIdleTimeoutMs = 10_000
/** The limit of a Date. */
const largestTimeMs = 8.64e15

export function watermarkPlan<T>(
  parent: Stream<T>,
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

/** Reports the largest event time of the rows that pass, once per task. */
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

/**
 * The uid of a union's watermark; that of a single `withWatermark` is its own. No uid contains a
 * '+'.
 */
export function unionUid(uids: readonly string[]): string {
  return uids.toSorted().join('+')
}

/** Throws an error that is reported for the record. */
function eventTimeOf<T>(row: T, timeOf: TimeOf<T>): number {
  const given = timeOf(row)
  const timeMs = given instanceof Date ? given.getTime() : given
  if (typeof timeMs === 'number' && Math.abs(timeMs) <= largestTimeMs) return Math.floor(timeMs) + 0 // and not -0
  throw new RangeError(
    `the event time of the row is ${printed(given)}; withWatermark needs milliseconds since the epoch or a Date`,
  )
}

function printed(given: unknown): string {
  if (given instanceof Date) return 'an invalid Date'
  return typeof given === 'number' ? String(given) : `a value of type ${typeof given}`
}

/** The topic partition from which a partition is read. */
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
  throw noTopic(`transform computes '${rdd.name}' from more than one topic partition`)
}

/** The topics of a stream's rows. Throws when operators other than narrow ones are in between. */
function topicsOf(stream: Stream<unknown>): string[] {
  const topics = new Set<string>()
  const above = new Set<Stream<unknown>>([stream])
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
    `withWatermark follows the partitions of a topic, but ${why}; put it right after fromTopic, or after ` +
      'map, flatMap, filter, mapPartitions and union only',
  )
}

function requireMs(option: string, givenMs: number): void {
  if (Number.isSafeInteger(givenMs) && givenMs >= 0) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `${option} of withWatermark must be an integer of at least 0, not ${givenMs}`,
  )
}

/** Stable: rows with the same time stay in order of arrival. */
export function inEventOrder<T>(rows: readonly TimedRow<T>[]): readonly TimedRow<T>[] {
  return rows.toSorted((one, other) => one.timeMs - other.timeMs)
}
