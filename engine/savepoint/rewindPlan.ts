// Plans a rewind: how the positions of a stopped job are moved, back or forward. Pure.
//
// State and positions belong together: records that the state includes must not be read again on
// top of it. So a job is rewound together with its state, to a batch that the state can still be
// rolled back to. To any other position it goes with its state reset (`resetState`) or, only on
// request, with its state unchanged (`keepState`): records read twice then count twice, and skipped
// ones do not count.

import type { Commit } from '../checkpoint/commitLog.ts'
import type { OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { JobLogs } from './jobLogs.ts'

export type RewindTarget =
  /** The position after a batch. */
  | { readonly kind: 'batch'; readonly batchId: number }
  /** The newest committed batch whose nominal time is at or before `timeMs`. */
  | { readonly kind: 'time'; readonly timeMs: number }
  /** Partitions that are not listed keep their positions. */
  | { readonly kind: 'offsets'; readonly positions: readonly Position[] }

export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Id of the current topic; if undefined, the one in the log is kept. */
  readonly topicId?: string | undefined
}

export interface RewindOptions {
  readonly resetState?: boolean
  readonly keepState?: boolean
}

export type RewindPlan =
  /** The batches after `batchId` are dropped; the state undoes them when the next batch runs. */
  | {
      readonly kind: 'undo'
      readonly batchId: number
      readonly batches: readonly OffsetLogEntry[]
      readonly commits: readonly Commit[]
    }
  /** A committed empty batch at the new positions; no state, and no batches before it. */
  | {
      readonly kind: 'reset'
      readonly batches: readonly OffsetLogEntry[]
      readonly commits: readonly Commit[]
    }
  /**
   * Either an empty batch at the new positions is appended, or the newest batch is planned again.
   */
  | { readonly kind: 'keep'; readonly entry: OffsetLogEntry; readonly supersedes: boolean }

/** Number of batches for which a state keeps undo records. */
const undoableBatches = 2

/** Throws JOB_OPTION_INVALID, with the alternatives. */
export function planRewind(
  logs: JobLogs,
  target: RewindTarget,
  { resetState = false, keepState = false }: RewindOptions = {},
): RewindPlan {
  const newest = logs.batches.at(-1)
  if (newest === undefined) throw refused('the job has not planned a batch yet')
  if (resetState && keepState)
    throw refused('state is either reset or kept; give only one of the two options')
  if (target.kind === 'offsets') {
    const isStateless = newest.operators?.length === 0
    if (resetState || isStateless)
      return resetAt(logs, moved(committedRanges(logs), target.positions))
    if (keepState) return keepAt(logs, newest, target.positions)
    throw refused(
      'records that are read again would count twice in the state: reset the ' +
        'state (--reset-state), keep it (--keep-state), or start from a savepoint (job submit --from)',
    )
  }
  if (keepState) {
    throw refused('a rewind to a batch includes its state; --keep-state is for offsets only')
  }
  return toBatch(logs, newest, batchOf(logs, target), resetState)
}

function batchOf(
  { batches, commits }: JobLogs,
  target: Exclude<RewindTarget, { kind: 'offsets' }>,
) {
  if (target.kind === 'batch') return target.batchId
  const committedId = commits.at(-1)?.batchId ?? -1
  const found = batches.findLast(
    ({ batchId, timeMs }) => batchId <= committedId && timeMs <= target.timeMs,
  )
  if (found !== undefined) return found.batchId
  throw refused(
    'no batch from that time is kept any more; give offsets, or start from a savepoint (job submit --from)',
  )
}

function toBatch(
  logs: JobLogs,
  newest: OffsetLogEntry,
  batchId: number,
  resetState: boolean,
): RewindPlan {
  const committedId = logs.commits.at(-1)?.batchId ?? -1
  if (batchId > committedId) {
    throw refused(`batch ${batchId} is not committed; the newest committed batch is ${committedId}`)
  }
  const batch = logs.batches.find((each) => each.batchId === batchId)
  if (resetState) {
    if (batch === undefined) throw notKept(logs, batchId)
    return resetAt(logs, batch.ranges)
  }
  const oldestId = newest.batchId - undoableBatches
  if (batchId < oldestId) {
    throw refused(
      `the state can be rolled back to the end of batch ${Math.max(oldestId, logs.batches[0]!.batchId)} at most, ` +
        `not to batch ${batchId}; reset the state (--reset-state), or start from a ` +
        'savepoint (job submit --from)',
    )
  }
  const commit = logs.commits.find((each) => each.batchId === batchId)
  if (batch === undefined || commit === undefined) throw notKept(logs, batchId)
  // The states belong to the operators of the newest plan, whichever code ran batch `batchId`.
  const { code, operators } = newest
  const before = logs.batches.filter((each) => each.batchId < batchId)
  return {
    kind: 'undo',
    batchId,
    batches: [...before, { ...batch, code, operators }],
    commits: logs.commits.filter((each) => each.batchId <= batchId),
  }
}

/** Batch ids continue: a sink that has seen an id must not mistake another batch for it. */
function resetAt({ batches }: JobLogs, ranges: readonly OffsetRange[]): RewindPlan {
  const newest = batches.at(-1)!
  const { code, operators } = newest
  const batchId = newest.batchId + 1
  const entry = {
    batchId,
    timeMs: newest.timeMs + 1,
    ranges: ranges.map(emptyAtEnd),
    code,
    operators,
  }
  return { kind: 'reset', batches: [entry], commits: [{ batchId, recordsTotal: 0, uncounted: [] }] }
}

function keepAt(
  { commits }: JobLogs,
  newest: OffsetLogEntry,
  positions: readonly Position[],
): RewindPlan {
  const isCommitted = commits.at(-1)?.batchId === newest.batchId
  if (!isCommitted) {
    return {
      kind: 'keep',
      entry: { ...newest, ranges: moved(newest.ranges, positions) },
      supersedes: true,
    }
  }
  const { batchId, timeMs, ranges } = newest
  const next = { batchId: batchId + 1, timeMs: timeMs + 1 }
  const entry = { ...newest, ...next, ranges: moved(ranges.map(emptyAtEnd), positions) }
  return { kind: 'keep', entry, supersedes: false }
}

/** Returns ranges that end at the positions of the job after its newest committed batch. */
function committedRanges({ batches, commits }: JobLogs): readonly OffsetRange[] {
  const newest = batches.at(-1)!
  if (commits.at(-1)?.batchId === newest.batchId) return newest.ranges
  return newest.ranges.map((range) => ({ ...range, until: range.from }))
}

/** Returns the ranges, emptied at the given positions. */
function moved(ranges: readonly OffsetRange[], positions: readonly Position[]): OffsetRange[] {
  const left = new Map(positions.map((position) => [keyOf(position), position]))
  if (left.size < positions.length) throw refused('a partition has two positions; give one')
  const result = ranges.map((range): OffsetRange => {
    const position = left.get(keyOf(range))
    left.delete(keyOf(range))
    return position === undefined ? range : emptyAt(position, range)
  })
  const isolation = ranges[0]?.isolation
  for (const position of left.values()) result.push(emptyAt(position, { isolation }))
  requireOneTopicId(result)
  return result
}

function emptyAt(
  { topic, partition, offset, topicId }: Position,
  range: Pick<OffsetRange, 'topicId' | 'isolation'>,
): OffsetRange {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw refused(`${topic}-${partition} has no offset ${offset}; give an integer of at least 0`)
  }
  const { isolation } = range
  const id = topicId ?? range.topicId
  return {
    ...{ topic, partition, from: offset, until: offset },
    ...(id === undefined ? {} : { topicId: id }),
    ...(isolation === undefined ? {} : { isolation }),
  }
}

function emptyAtEnd(range: OffsetRange): OffsetRange {
  return { ...range, from: range.until }
}

/** Offsets of a deleted topic say nothing about the topic that now has its name. */
function requireOneTopicId(ranges: readonly OffsetRange[]): void {
  const ids = new Map<string, string | undefined>()
  for (const { topic, partition, topicId } of ranges) {
    if (ids.has(topic) && ids.get(topic) !== topicId) {
      throw refused(
        `topic ${topic} was deleted and created again; give a position for each of its partitions: ` +
          `${topic}-${partition} has none, or one in the deleted topic`,
      )
    }
    ids.set(topic, topicId)
  }
}

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`
}

function notKept({ batches }: JobLogs, batchId: number): EngineError {
  return refused(
    `batch ${batchId} is no longer kept; the oldest is batch ${batches[0]!.batchId}. Give offsets, or ` +
      'start from a savepoint (job submit --from)',
  )
}

function refused(what: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', `cannot rewind: ${what}`)
}
