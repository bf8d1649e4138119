// Where the offsets of a group would be after a reset. Plain arithmetic: it is given what is committed and
// where the logs begin and end.

export const strategies = [
  'earliest',
  'latest',
  'offset',
  'shift_by',
  'time',
  'duration',
  'committed',
] as const
export type Strategy = (typeof strategies)[number]

export interface ResetPlace {
  readonly topic: string
  readonly partition: number
  /** Null when the group has committed nothing. */
  readonly committed: number | null
  readonly start: number
  readonly end: number
  /** For `time` and `duration`: the first offset of that time; null when no record is as new. */
  readonly atTime: number | null
}

export interface ResetTarget {
  readonly strategy: Strategy
  /** For `offset` and `shift_by`. */
  readonly value: number
}

export interface ResetPlan {
  readonly topic: string
  readonly partition: number
  readonly oldOffset: number | null
  readonly newOffset: number
  /** Whether the offset asked for was outside of the log, and was moved to its nearest end. */
  readonly isAdjusted: boolean
  /** Offsets that the group would read once more; null when it has committed nothing. */
  readonly readAgain: number | null
  /** Offsets that the group would not read. */
  readonly skipped: number | null
}

export function planReset(place: ResetPlace, target: ResetTarget): ResetPlan {
  const { topic, partition, committed, start, end } = place
  const wanted = wantedOffset(place, target)
  const newOffset = Math.min(Math.max(wanted, start), end)
  // What lies below the start of the log was removed, and can be neither read nor skipped.
  const from = committed === null ? null : Math.min(Math.max(committed, start), end)
  return {
    ...{ topic, partition, oldOffset: committed, newOffset },
    isAdjusted: newOffset !== wanted,
    readAgain: from === null ? null : Math.max(0, from - newOffset),
    skipped: from === null ? null : Math.max(0, newOffset - from),
  }
}

function wantedOffset(
  { committed, start, end, atTime }: ResetPlace,
  { strategy, value }: ResetTarget,
): number {
  switch (strategy) {
    case 'earliest':
      return start
    case 'latest':
      return end
    case 'offset':
      return value
    case 'shift_by':
      return (committed ?? start) + value
    case 'time':
    case 'duration':
      return atTime ?? end
    case 'committed':
      return committed ?? end
  }
}

/**
 * What must be as it was in the preview for its execution. Where the target moves by itself, as the end of a
 * topic does while records are written, only what the group had committed is compared.
 */
export function comparedWithPreview(
  plan: ResetPlan,
  { strategy }: ResetTarget,
): readonly unknown[] {
  const isMoving = strategy === 'latest' || strategy === 'duration'
  const { topic, partition, oldOffset, newOffset } = plan
  return [topic, partition, oldOffset, isMoving ? null : newOffset]
}
