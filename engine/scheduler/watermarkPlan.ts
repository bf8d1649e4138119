// The watermarks of a batch, computed when it is planned from what committed batches have read. They go into
// the offset log, so a batch that runs again has exactly the same. Pure.
//
// A watermark is the least over the topic partitions of (largest event time seen - delay), and never goes
// back. Records of one partition whose disorder is at most the delay are so never behind the watermark of
// their batch, however batches were cut, however uneven partitions were read and however long the driver was
// away, unless their partition was idle: then it held nothing up. A partition is idle when
//
// - it is read to its end, and gave no event time for the idle timeout, in nominal time; or
// - it has unread records, and those that were read gave no event time for so long: a filter drops them all,
//   for example. Only the time of batches that have read it counts, and of each of them half the timeout at
//   most: in a pause nothing is read, and the first batch after it reads what may be a short time's records.
//
// Unread records hold the watermark back otherwise, those of a partition never seen, too: they may be of
// any time. When all partitions are idle, the watermark is the largest that one of them gives: which of them
// fell idle first depends on how batches were cut, and the result must not.
//
// The watermark of a union is made of those of its streams by the same rules: it is the least of them, a
// stream whose partitions are all idle does not count, and it never goes back, although a stream that has
// been idle may be behind it.

import type { Commit, SeenTime } from '../checkpoint/commitLog.ts'
import type { OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import type { WatermarkSpec } from '../contract/statefulOperator.ts'
import type { EventTime } from '../executor/task.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { PartitionEnds } from './rangePlan.ts'

export type EventTimes = NonNullable<Commit['eventTimes']>
export type Watermarks = Readonly<Record<string, number>>

export interface WatermarksToPlan {
  readonly specs: readonly WatermarkSpec[]
  /** Nominal time of the batch. */
  readonly timeMs: number
  /** What the batch reads. */
  readonly ranges: readonly OffsetRange[]
  /** Where the logs end. */
  readonly ends: readonly PartitionEnds[]
  /** Of the newest commit. */
  readonly eventTimes: EventTimes | undefined
  /** The batch before, which is committed; undefined for the first one. */
  readonly previous: Pick<OffsetLogEntry, 'timeMs' | 'ranges' | 'watermarks'> | undefined
}

/** By uid. A uid is missing until its topics have given a time. Those of other versions of the code stay. */
export function planWatermarks(plan: WatermarksToPlan): Watermarks {
  const watermarks: Record<string, number> = { ...plan.previous?.watermarks }
  const set = (uid: string, watermark: number | undefined) => {
    if (watermark === undefined) delete watermarks[uid]
    else watermarks[uid] = watermark
  }
  const idle = new Set<string>()
  for (const spec of plan.specs) {
    if (spec.of !== undefined) continue
    set(spec.uid, planOne(spec, plan))
    if (areIdle(sourcesOf(spec, plan), spec, plan)) idle.add(spec.uid)
  }
  for (const { uid, of } of plan.specs) {
    if (of !== undefined) set(uid, planUnion(uid, of, watermarks, idle))
  }
  return watermarks
}

/** `watermarks` has that of the batch before under the union's own uid. */
function planUnion(
  uid: string,
  of: readonly string[],
  watermarks: Watermarks,
  idle: ReadonlySet<string>,
): number | undefined {
  const active = of.filter((each) => !idle.has(each))
  const watermark =
    active.length > 0
      ? least(active.map((each) => watermarks[each] ?? -Infinity))
      : greatest(of.map((each) => watermarks[each] ?? -Infinity))
  const next = Math.max(watermarks[uid] ?? -Infinity, watermark)
  return next === -Infinity ? undefined : next
}

function areIdle(sources: readonly Source[], spec: WatermarkSpec, plan: WatermarksToPlan): boolean {
  const seen = plan.eventTimes?.[spec.uid] ?? {}
  return sources.length > 0 && sources.every((each) => isIdle(each, seen[each.name], spec, plan))
}

function planOne(spec: WatermarkSpec, plan: WatermarksToPlan): number | undefined {
  const seen = plan.eventTimes?.[spec.uid] ?? {}
  const sources = sourcesOf(spec, plan)
  const times = sources.flatMap(({ name }) => seen[name]?.timeMs ?? [])
  // Times of other topics say nothing: the uid was another watermark's in an earlier version of the code.
  if (times.length === 0) return undefined
  const before = plan.previous?.watermarks?.[spec.uid] ?? -Infinity
  const active = sources.filter((source) => !isIdle(source, seen[source.name], spec, plan))
  if (active.length === 0) return Math.max(before, greatest(times) - spec.delayMs)
  const held = active.map(({ name }) => seen[name]?.timeMs ?? -Infinity)
  const watermark = Math.max(before, least(held) - spec.delayMs)
  return watermark === -Infinity ? undefined : watermark
}

interface Source {
  /** `topic-partition` */
  readonly name: string
  readonly hasUnread: boolean
  /** Whether the batch before has read something of it. */
  readonly wasRead: boolean
}

function sourcesOf(
  { topics }: WatermarkSpec,
  { ends, ranges, previous }: WatermarksToPlan,
): Source[] {
  const byName = new Map(ranges.map((range) => [sourceOf(range), range]))
  const readBefore = new Set(
    previous?.ranges.filter(({ from, until }) => until > from).map(sourceOf),
  )
  return ends
    .filter(({ topic }) => topics.includes(topic))
    .map((end) => {
      const name = sourceOf(end)
      const from = byName.get(name)?.from ?? end.earliest
      // What the batch reads is unread as well: it is not in the times that were seen.
      return { name, hasUnread: end.latest > from, wasRead: readBefore.has(name) }
    })
}

function isIdle(
  { hasUnread, wasRead }: Source,
  seen: SeenTime | undefined,
  { idleTimeoutMs }: WatermarkSpec,
  { timeMs }: WatermarksToPlan,
): boolean {
  if (seen === undefined) return false
  if (!hasUnread) return timeMs - seen.batchTimeMs >= idleTimeoutMs
  return wasRead && (seen.fruitlessMs ?? 0) >= idleTimeoutMs
}

/**
 * The event times to commit with a batch. `noted`: of its finished tasks. A partition that has given no time
 * yet is noted with its first batch, from which its idle time counts. `previousTimeMs`: nominal time of the
 * batch before.
 */
export function mergeEventTimes(
  specs: readonly WatermarkSpec[],
  before: EventTimes | undefined,
  { timeMs, ranges }: Pick<OffsetLogEntry, 'timeMs' | 'ranges'>,
  noted: Iterable<EventTime>,
  previousTimeMs: number | undefined,
): EventTimes | undefined {
  if (specs.length === 0) return before
  const merged: Record<string, Record<string, SeenTime>> = {}
  for (const [uid, times] of Object.entries(before ?? {})) merged[uid] = { ...times }
  const isRead = new Map(ranges.map((range) => [sourceOf(range), range.until > range.from]))
  for (const { uid, topics, idleTimeoutMs, of } of specs) {
    if (of !== undefined) continue
    merged[uid] ??= {}
    const passedMs = previousTimeMs === undefined ? 0 : timeMs - previousTimeMs
    const countedMs = Math.min(passedMs, Math.ceil(idleTimeoutMs / 2))
    for (const range of ranges) {
      if (!topics.includes(range.topic)) continue
      const source = sourceOf(range)
      const known = merged[uid][source] ?? { batchTimeMs: timeMs }
      const { fruitlessMs = 0 } = known
      merged[uid][source] = isRead.get(source)
        ? { ...known, fruitlessMs: fruitlessMs + countedMs }
        : known
    }
  }
  for (const { watermark, source, timeMs: eventMs } of noted) {
    const times = merged[watermark]
    if (times === undefined || !Number.isFinite(eventMs)) continue
    const known = times[source]
    // A task may have computed an earlier batch again: only a range of this batch says that there is life.
    const isAlive = isRead.get(source) || known === undefined
    const largestMs = Math.max(known?.timeMs ?? -Infinity, eventMs)
    times[source] = isAlive
      ? { timeMs: largestMs, batchTimeMs: timeMs }
      : { ...known, timeMs: largestMs }
  }
  return merged
}

function sourceOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`
}

function least(numbers: readonly number[]): number {
  return numbers.reduce((one, other) => Math.min(one, other), Infinity)
}

function greatest(numbers: readonly number[]): number {
  return numbers.reduce((one, other) => Math.max(one, other), -Infinity)
}
