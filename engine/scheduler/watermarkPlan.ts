// Plans the watermarks of a batch from the event times of committed batches. They are stored in the
// offset log, so that a rerun of the batch uses exactly the same ones. Pure.
//
// A watermark is the minimum over the topic partitions of (largest event time seen - delay).
// Invariant: it never goes back. If the disorder within a partition is at most the delay, its
// records are never behind the watermark of their batch, however batches were split, however
// unevenly partitions were read and however long the driver was down. The exception is a partition
// that was idle, and so did not hold the watermark back. A partition is idle when
//
// - it is read to its end, and gave no event time for the idle timeout, in nominal time; or
// - it has unread records, and those that were read gave no event time for the idle timeout, for
//   example because a filter drops them all. Only the time of batches that read the partition
//   counts, and at most half of the timeout for each: after a pause, the first batch covers a long
//   time but may read the records of a short one.
//
// Otherwise unread records hold the watermark back, including those of a partition never seen: they
// may have any event time. When all partitions are idle, the watermark is the largest that any of
// them gives: which partition became idle first depends on how batches were split, and the result
// must not.
//
// The watermark of a union follows from those of its streams by the same rules: it is their
// minimum, without streams whose partitions are all idle, and it never goes back, although a stream
// that has been idle may be behind it.

import type { Commit, SeenTime } from '../checkpoint/commitLog.ts'
import type { OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import type { WatermarkSpec } from '../contract/statefulOperator.ts'
import type { EventTime } from '../executor/task.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { PartitionEnds } from '../sources/topicOffsets.ts'

export type EventTimes = NonNullable<Commit['eventTimes']>
export type Watermarks = Readonly<Record<string, number>>

export interface WatermarksToPlan {
  readonly specs: readonly WatermarkSpec[]
  /** Nominal time of the batch. */
  readonly timeMs: number
  /** Ranges that the batch reads. */
  readonly ranges: readonly OffsetRange[]
  /** Current ends of the logs. */
  readonly ends: readonly PartitionEnds[]
  /** Event times of the newest commit. */
  readonly eventTimes: EventTimes | undefined
  /** The previous batch, which is committed; undefined for the first one. */
  readonly previous: Pick<OffsetLogEntry, 'timeMs' | 'ranges' | 'watermarks'> | undefined
}

/**
 * Returns watermarks by uid. A uid is missing until its topics have given an event time. Watermarks
 * of other versions of the code are kept.
 */
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

/** `watermarks` has the previous watermark of the union under its own uid. */
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
  // Times of other topics do not count: an earlier version of the code used the uid for another
  // watermark.
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
  /** Whether the previous batch read records of the partition. */
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
      // Ranges of this batch count as unread: their event times are not known yet.
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
 * Returns the event times to commit with a batch. `noted`: event times from its finished tasks. A
 * partition without event times is recorded with its first batch, from which its idle time counts.
 * `previousTimeMs`: nominal time of the previous batch.
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
    // A task may have recomputed an earlier batch; only a range of this batch shows that the
    // partition is active.
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
