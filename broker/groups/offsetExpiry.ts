// Which offsets of a group have outlived their use (KIP-211): those that nobody has needed for as
// long as offsets are kept. Offsets that a transaction may yet change stay, and so does what a member
// is subscribed to.

import type { Group } from './group.ts'
import type { GroupOffsets } from './groupOffsets.ts'
import type { OffsetEntry } from './offsetTable.ts'

export interface ExpiredOffsets {
  readonly expired: readonly OffsetEntry[]
  /** Nothing of the group's offsets is left after that. */
  readonly isAll: boolean
}

/** `nowMs` is of the monotonic clock that the group knows, `wallClockMs` of the one that stamps commits. */
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
    // Old clients could say how long each of their offsets is to be kept.
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
