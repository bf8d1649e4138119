// Tails a topic. Polls the end offsets of all partitions, with one request per leader, and reads
// the partitions that have grown: an idle tail costs little, and a tail of a thousand partitions
// does not hold a thousand connections. Records beyond the rate limit are skipped and counted.
// Pull-based: for a client that does not read, nothing is fetched.

import type { Admin } from '../../../../../protocol/client/admin.ts'
import { OffsetSpec } from '../../../../../protocol/client/admin.ts'
import type { Cluster } from '../../../../../protocol/client/cluster/cluster.ts'
import type { Isolation } from '../../../../../protocol/client/consumer/isolation.ts'
import { type Clock, sleep } from '../../../../../protocol/runtime/time/clock.ts'
import { RecordBrowser } from './recordBrowser.ts'
import type { RecordFilter } from './recordFilter.ts'
import { type OffsetRange, offsetsAt } from './recordRange.ts'
import type { ShownRecord } from './shownRecord.ts'
import type { TailPosition } from './tailPosition.ts'

export interface TailOptions {
  readonly topic: string
  /** Start offset by partition. */
  readonly from: TailPosition
  readonly isolation: Isolation
  readonly filter: RecordFilter | undefined
  readonly mostValueBytes: number
  /** Rate limit in records read; records beyond it are skipped. */
  readonly mostPerSecond: number
}

/**
 * Each event carries the position after it: a tail resumed there neither misses nor repeats a
 * record.
 */
export type TailEvent = { readonly position: TailPosition } & (
  | { readonly event: 'record'; readonly data: ShownRecord }
  | { readonly event: 'skipped'; readonly data: { readonly offsets: number } }
  | { readonly event: 'heartbeat'; readonly data: { readonly time: string } }
)

const pollMs = 250
const heartbeatMs = 15_000
const mostFetchedBytes = 8 * 1024 * 1024
const mostFoundBytes = 4 * 1024 * 1024

/** Ends when `signal` aborts; fails if a request fails. */
export async function* tail(
  { cluster, admin, clock }: { cluster: Cluster; admin: Admin; clock: Clock },
  options: TailOptions,
  signal: AbortSignal,
): AsyncGenerator<TailEvent, void> {
  const { topic, isolation, filter, mostValueBytes, mostPerSecond } = options
  const browser = new RecordBrowser(cluster, clock)
  const positions = new Map(options.from)
  const partitions = [...positions.keys()]
  let heardMs = clock.monotonicMs()
  yield heartbeat(clock, positions)
  while (!signal.aborted) {
    const startMs = clock.monotonicMs()
    const ends = await offsetsAt(admin, topic, partitions, OffsetSpec.latest, isolation)
    const grown = partitions.flatMap((partition, index): OffsetRange[] => {
      const low = positions.get(partition)!
      // A truncated log continues from its new end.
      const high = ends[index]!
      if (high < low) positions.set(partition, high)
      return high > low ? [{ partition, low, high }] : []
    })
    const share = Math.ceil((mostPerSecond * pollMs) / 1_000)
    const { ranges, skipped } = newestOf(grown, share)
    if (ranges.length > 0) {
      const result = await browser.browse(
        {
          ...{ topic, ranges, order: 'oldest', isolation, filter, mostValueBytes },
          bounds: {
            ...{ limit: share, records: share, fetchedBytes: mostFetchedBytes },
            ...{ answerBytes: mostFoundBytes, timeMs: 10_000 },
          },
        },
        signal,
      )
      for (const { partition, low } of ranges) positions.set(partition, low)
      if (skipped > 0) yield { event: 'skipped', data: { offsets: skipped }, position: positions }
      for (const data of result.records) {
        positions.set(data.partition, data.offset + 1)
        yield { event: 'record', data, position: positions }
      }
      // Includes records that the filter rejected.
      for (const { partition, low } of result.left) positions.set(partition, low)
      if (skipped > 0 || result.records.length > 0) heardMs = clock.monotonicMs()
    }
    if (clock.monotonicMs() - heardMs >= heartbeatMs) {
      heardMs = clock.monotonicMs()
      yield heartbeat(clock, positions)
    }
    await sleep(clock, Math.max(0, startMs + pollMs - clock.monotonicMs()), signal)
  }
}

/**
 * Returns the newest offsets of the ranges, up to a few times the rate: a short burst is delivered
 * late instead of being skipped.
 */
function newestOf(
  ranges: readonly OffsetRange[],
  share: number,
): { readonly ranges: OffsetRange[]; readonly skipped: number } {
  const mostEach = Math.max(1, Math.ceil((share * 8) / Math.max(1, ranges.length)))
  let skipped = 0
  const kept = ranges.map((range) => {
    const low = Math.max(range.low, range.high - mostEach)
    skipped += low - range.low
    return { ...range, low }
  })
  return { ranges: kept, skipped }
}

function heartbeat(clock: Clock, position: TailPosition): TailEvent {
  return { event: 'heartbeat', data: { time: new Date(clock.nowMs()).toISOString() }, position }
}
