// Lost offsets: offsets that a job has yet to read, or has read, and that the log of the topic no
// longer has. Finds them, and makes the OFFSETS_LOST errors.

import { EngineError } from '../engineError.ts'
import type { OffsetRange } from './scan.ts'

/** The offsets that exist in a topic partition. */
export interface LogExtent {
  readonly earliest: number
  /** The offset after the last one. */
  readonly latest: number
}

interface Place {
  readonly topic: string
  readonly partition: number
}

/** A gap between the end of what a job has read and the offset where it continues. */
export interface LostRange extends Place {
  /**
   * `removed`: offsets [from, until) were never read. `truncated`: the log ended at `until`, below
   * `from`, up to which the job had read it; records that the log has there now may be unread.
   */
  readonly kind: 'removed' | 'truncated'
  readonly from: number
  readonly until: number
  /** Offsets that were never read; an upper bound on the number of records. */
  readonly lostRecords: number
}

/** Returns the gaps between the ranges of a batch and those of the next one. */
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

/** Whether the log no longer has the beginning of the range. */
export function hasLost(
  range: OffsetRange,
  logs: readonly (Place & Pick<LogExtent, 'earliest'>)[],
): boolean {
  const log = logs.find((each) => placeOf(each) === placeOf(range))
  return log !== undefined && range.from < range.until && range.from < log.earliest
}

/** Returns what still exists of ranges that are read again. */
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

/** Returns OFFSETS_LOST for the offsets [from, until) of a batch, as far as the log lacks them. */
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
    `${placeOf(place)} no longer has offsets ${from} to ${lostUntil} (${count} that this job had yet to read): ` +
      `retention removed them while the job was stopped or behind; the log now has offsets ${extent(log)}. ` +
      waysOut(place, 'to continue without them'),
  )
}

/** Returns OFFSETS_LOST for a log that ends below `until`, which was already read or planned. */
export function logTruncated(
  place: Place,
  until: number,
  log: LogExtent,
  what: 'has read' | 'was to read' = 'has read',
): EngineError {
  return new EngineError(
    'OFFSETS_LOST',
    `${placeOf(place)} ends at offset ${log.latest}, but this job ${what} it up to ${until}: the topic ` +
      `was created again or lost records; the log now has offsets ${extent(log)}. ` +
      waysOut(place, 'to continue at the end of the log'),
  )
}

function waysOut({ topic }: Place, purpose: string): string {
  return (
    `Set the option onLost of fromTopic('${topic}', ...) to 'earliest', 'latest' or a time ${purpose}, ` +
    'or choose a position with `millrace job rewind`'
  )
}

function extent({ earliest, latest }: LogExtent): string {
  return earliest === latest ? `from ${latest} on, with no records yet` : `${earliest} to ${latest}`
}

function placeOf({ topic, partition }: Place): string {
  return `${topic}-${partition}`
}
