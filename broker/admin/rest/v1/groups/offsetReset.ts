// Computes the offsets of a group after a reset. Pure: committed offsets and log ends are passed
// in.

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
  /** Null if the group has no committed offset. */
  readonly committed: number | null
  readonly start: number
  readonly end: number
  /** For `time` and `duration`: first offset at or after that time; null if there is none. */
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
  /** Whether the requested offset was outside of the log and was moved to its nearest end. */
  readonly isAdjusted: boolean
  /** Offsets that the group would read again; null if it has no committed offset. */
  readonly readAgain: number | null
  /** Offsets that the group would skip. */
  readonly skipped: number | null
}

export function planReset(place: ResetPlace, target: ResetTarget): ResetPlan {
  const { topic, partition, committed, start, end } = place
  const wanted = wantedOffset(place, target)
  const newOffset = Math.min(Math.max(wanted, start), end)
  // Offsets below the log start were deleted: they can be neither read nor skipped.
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
 * The part of a plan that must be the same in the preview and in the execution. If the target moves
 * by itself, like the end of a topic, only the committed offset is compared.
 */
export function comparedWithPreview(
  plan: ResetPlan,
  { strategy }: ResetTarget,
): readonly unknown[] {
  const isMoving = strategy === 'latest' || strategy === 'duration'
  const { topic, partition, oldOffset, newOffset } = plan
  return [topic, partition, oldOffset, isMoving ? null : newOffset]
}
