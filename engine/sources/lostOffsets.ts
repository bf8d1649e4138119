// Offsets that a job has yet to read, or has read, and that the log of the topic no longer has: what a job
// says that fails for it, and what it says that goes on.

import { EngineError } from '../engineError.ts'
import type { OffsetRange } from './scan.ts'

/** What there is of a topic partition. */
export interface LogExtent {
  readonly earliest: number
  /** The offset after the last one. */
  readonly latest: number
}

interface Place {
  readonly topic: string
  readonly partition: number
}

/** A gap between what a job has read and where it goes on. */
export interface LostRange extends Place {
  /**
   * `removed`: offsets [from, until) were never read. `truncated`: the log ended at `until`, before `from`,
   * up to where the job had read it; what the log has there now, it may not have read.
   */
  readonly kind: 'removed' | 'truncated'
  readonly from: number
  readonly until: number
  /** Offsets that were never read, and so records at most. */
  readonly lostRecords: number
}

/** The gaps between the ranges of one batch and those of the next. */
export function lostBetween(
  previous: readonly OffsetRange[],
  ranges: readonly OffsetRange[],
): LostRange[] {
  const ends = new Map(previous.map((range) => [placeOf(range), range.until]))
  return ranges.flatMap((range): LostRange[] => {
    const { topic, partition, from: until } = range
    const from = ends.get(placeOf(range)) ?? until
    if (from === until) return []
    const kind = from < until ? 'removed' : 'truncated'
    return [{ topic, partition, kind, from, until, lostRecords: Math.max(0, until - from) }]
  })
}

/** Whether the logs do not have the beginning of what a range is to read any more. */
export function hasLost(
  range: OffsetRange,
  logs: readonly (Place & Pick<LogExtent, 'earliest'>)[],
): boolean {
  const log = logs.find((each) => placeOf(each) === placeOf(range))
  return log !== undefined && range.from < range.until && range.from < log.earliest
}

/** What is left of ranges that were read before and are to be read again. */
export function leftOf(
  ranges: readonly OffsetRange[],
  logs: readonly (Place & Pick<LogExtent, 'earliest'>)[],
): OffsetRange[] {
  return ranges.map((range) => {
    const log = logs.find((each) => placeOf(each) === placeOf(range))
    const earliest = log?.earliest ?? range.from
    return { ...range, from: Math.min(range.until, Math.max(range.from, earliest)) }
  })
}

/** OFFSETS_LOST for offsets from `from` on, up to `until` as far as the job was to read them now. */
export function offsetsRemoved(
  place: Place,
  from: number,
  until: number,
  log: LogExtent,
): EngineError {
  const lostUntil = Math.max(from, Math.min(until, log.earliest))
  const count = lostUntil - from
  return new EngineError(
    'OFFSETS_LOST',
    `${placeOf(place)} no longer has offsets ${from} to ${lostUntil} (${count} that this job was to read): ` +
      `they were removed while the job was away or slow, and the log now has offsets ${extent(log)}. ` +
      waysOut(place, 'to go on without them'),
  )
}

/** OFFSETS_LOST for a log that ends before what was, or was to be, read of it: waiting would hide that for ever. */
export function logTruncated(
  place: Place,
  until: number,
  log: LogExtent,
  what: 'has read' | 'was to read' = 'has read',
): EngineError {
  return new EngineError(
    'OFFSETS_LOST',
    `${placeOf(place)} ends at offset ${log.latest}, but this job ${what} it up to ${until}: the topic ` +
      `was created again or lost records, and the log now has offsets ${extent(log)}. ` +
      waysOut(place, 'to go on at the end of the log'),
  )
}

function waysOut({ topic }: Place, purpose: string): string {
  return (
    `Either give fromTopic('${topic}', ...) the option onLost ('earliest', 'latest' or a time) ${purpose}, ` +
    'or choose the position with `millrace job rewind`'
  )
}

function extent({ earliest, latest }: LogExtent): string {
  return earliest === latest ? `from ${latest} on, and no record yet` : `${earliest} to ${latest}`
}

function placeOf({ topic, partition }: Place): string {
  return `${topic}-${partition}`
}
