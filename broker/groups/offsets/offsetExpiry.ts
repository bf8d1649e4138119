// Decides which offsets of a group have expired (KIP-211): those unused for the retention time.
// Offsets of subscribed topics, and those that an open transaction may change, do not expire. A
// pure function.

import type { Group } from '../group.ts'
import type { GroupOffsets } from './groupOffsets.ts'
import type { OffsetEntry } from './offsetTable.ts'

export interface ExpiredOffsets {
  readonly expired: readonly OffsetEntry[]
  /** Whether the group has no other offsets. */
  readonly isAll: boolean
}

/**
 * Returns the expired offsets of a group. `nowMs` is monotonic, as are the deadlines of groups;
 * `wallClockMs` is the clock that stamps commits.
 */
export function expiredOffsets(
  { group, offsets }: { readonly group: Group; readonly offsets: GroupOffsets },
  nowMs: number,
  wallClockMs: number,
  retentionMs: number,
): ExpiredOffsets {
  const unused = group.offsetsUnused()
  const isExpired = ({ topic, partition, value }: OffsetEntry): boolean => {
    if (unused.since === 'never' || group.isSubscribedTo(topic)) return false
    if (offsets.isUnstable(topic, partition)) return false
    // Before OffsetCommit v5, clients could set a retention time for each offset.
    if (value.expireTimestampMs >= 0) return wallClockMs >= value.expireTimestampMs
    const ageMs =
      unused.since === 'time' ? nowMs - unused.ms : wallClockMs - value.commitTimestampMs
    return ageMs >= retentionMs
  }
  const all = [...offsets.committed()]
  const expired = all.filter(isExpired)
  const isAll = expired.length === all.length && !offsets.isBeingWritten
  return { expired, isAll: isAll && !offsets.hasOpenTransactions }
}
