// How the positions of a stopped job are set back, or forward. Pure.
//
// State and positions belong together: what has been counted must not be read again with the counts in
// place. So a job goes back with its state to a batch that its state can still be undone to; to any other
// position it goes with its state emptied (`resetState`), or, said expressly, with its state as it is
// (`keepState`): then what is read twice counts twice, and what is passed over does not count.

import type { Commit } from '../checkpoint/commitLog.ts'
import type { OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { JobLogs } from './jobLogs.ts'

export type RewindTarget =
  /** To where the job was after a batch. */
  | { readonly kind: 'batch'; readonly batchId: number }
  /** To the newest committed batch whose nominal time is at or before this one. */
  | { readonly kind: 'time'; readonly timeMs: number }
  /** Partitions that are not among them stay where they are. */
  | { readonly kind: 'offsets'; readonly positions: readonly Position[] }

export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Of the topic as it is now; that of the log where it is not known. */
  readonly topicId?: string | undefined
}

export interface RewindOptions {
  readonly resetState?: boolean
  readonly keepState?: boolean
}

export type RewindPlan =
  /** The batches after `batchId` are forgotten, and the state undoes them when the next one runs. */
  | {
      readonly kind: 'undo'
      readonly batchId: number
      readonly batches: readonly OffsetLogEntry[]
      readonly commits: readonly Commit[]
    }
  /** An empty batch at the new positions, committed; no state and no batch before it. */
  | {
      readonly kind: 'reset'
      readonly batches: readonly OffsetLogEntry[]
      readonly commits: readonly Commit[]
    }
  /** An empty batch at the new positions follows, or the newest one is planned anew. */
  | { readonly kind: 'keep'; readonly entry: OffsetLogEntry; readonly supersedes: boolean }

/** Of how many batches a state keeps what undoes them. */
const undoableBatches = 2

/** Throws JOB_OPTION_INVALID with what can be done instead. */
export function planRewind(
  logs: JobLogs,
  target: RewindTarget,
  { resetState = false, keepState = false }: RewindOptions = {},
): RewindPlan {
  const newest = logs.batches.at(-1)
  if (newest === undefined)
    throw refused('the job has not planned a batch yet: it starts where it is')
  if (resetState && keepState) throw refused('state is either reset or kept: give one of the two')
  if (target.kind === 'offsets') {
    const isStateless = newest.operators?.length === 0
    if (resetState || isStateless)
      return resetAt(logs, moved(committedRanges(logs), target.positions))
    if (keepState) return keepAt(logs, newest, target.positions)
    throw refused(
      'offsets alone would leave the state as it is, and what is read again would count twice: reset the ' +
        'state (--reset-state), keep it expressly (--keep-state), or start from a savepoint (job submit --from)',
    )
  }
  if (keepState) {
    throw refused('a batch is gone back to with its state: --keep-state is for offsets alone')
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
    'no batch of that time is kept any more: give offsets, or start from a savepoint (job submit --from)',
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
    throw refused(
      `batch ${batchId} is not committed: the newest batch that is has id ${committedId}`,
    )
  }
  const batch = logs.batches.find((each) => each.batchId === batchId)
  if (resetState) {
    if (batch === undefined) throw notKept(logs, batchId)
    return resetAt(logs, batch.ranges)
  }
  const oldestId = newest.batchId - undoableBatches
  if (batchId < oldestId) {
    throw refused(
      `the state can go back to the end of batch ${Math.max(oldestId, logs.batches[0]!.batchId)} at most, and ` +
        `not to batch ${batchId}: empty the state and count from there (--reset-state), or start from a ` +
        'savepoint (job submit --from)',
    )
  }
  const commit = logs.commits.find((each) => each.batchId === batchId)
  if (batch === undefined || commit === undefined) throw notKept(logs, batchId)
  // The states are those of the newest plan's operators, whatever ran batch `batchId`.
  const { code, operators } = newest
  const before = logs.batches.filter((each) => each.batchId < batchId)
  return {
    kind: 'undo',
    batchId,
    batches: [...before, { ...batch, code, operators }],
    commits: logs.commits.filter((each) => each.batchId <= batchId),
  }
}

/** Ids go on: a sink that has seen a batch must not take another one for it. */
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

/** Where the job is after its newest committed batch. */
function committedRanges({ batches, commits }: JobLogs): readonly OffsetRange[] {
  const newest = batches.at(-1)!
  if (commits.at(-1)?.batchId === newest.batchId) return newest.ranges
  return newest.ranges.map((range) => ({ ...range, until: range.from }))
}

/** The ranges, empty at the positions where there are such. */
function moved(ranges: readonly OffsetRange[], positions: readonly Position[]): OffsetRange[] {
  const left = new Map(positions.map((position) => [keyOf(position), position]))
  if (left.size < positions.length) throw refused('a partition is given two positions: give one')
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
    throw refused(
      `${topic}-${partition} has no offset ${offset}: give a whole number of at least 0`,
    )
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

/** Offsets of a topic that was deleted say nothing of the one that has its name now. */
function requireOneTopicId(ranges: readonly OffsetRange[]): void {
  const ids = new Map<string, string | undefined>()
  for (const { topic, partition, topicId } of ranges) {
    if (ids.has(topic) && ids.get(topic) !== topicId) {
      throw refused(
        `topic ${topic} was deleted and created again: give a position for each of its partitions; ` +
          `${topic}-${partition} has none, or one of the other topic`,
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
    `batch ${batchId} is not kept: the oldest batch that is has id ${batches[0]!.batchId}; give offsets, or ` +
      'start from a savepoint (job submit --from)',
  )
}

function refused(what: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', `cannot rewind: ${what}`)
}
