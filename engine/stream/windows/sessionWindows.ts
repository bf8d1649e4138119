// Session windows by event time: rows of a key with less than a gap between them. A session lasts
// from its first row to a gap after its last; a row exactly at its end starts the next one, as in
// all windows. Sessions that a row connects are merged. The sessions and rows of a batch are merged
// first; the result is late once the watermark reaches its end plus the allowed lateness. So, as in
// Flink, a row that is later than that may start a new session: its former neighbours are no longer
// known.

import type { Key } from '../../keys/key.ts'
import type { Combiner } from '../../rdd/lineage.ts'
import type { TimedRow } from '../eventTime.ts'
import type { KeyedOperator } from '../operators/keyedOperator.ts'
import type { KeyScope } from '../operators/keyScope.ts'
import { type EventOperatorOptions, statefulContract } from '../operators/statefulContract.ts'
import type { StreamBuilder } from '../streamPlan.ts'
import {
  lateRow,
  type OpenWindow,
  type WindowAggregate,
  type WindowBounds,
  type WindowResult,
  windowTag,
} from './windowAggregate.ts'

export interface SessionWindows {
  readonly gapMs: number
  readonly latenessMs: number
}

interface Session<A> {
  readonly startMs: number
  readonly endMs: number
  readonly value: A
}

/** A map task's result for the rows of a key. */
export interface SessionPart<T, A> {
  /** Ordered by start; they do not overlap. */
  readonly sessions: Session<A>[]
  /** Rows that are late unless they belong to a session that is not. */
  readonly doubtful: TimedRow<T>[]
}

export interface StoredSession<A> extends Session<A> {
  readonly results: number
  /** Whether rows arrived since the last result; the timer of the next result is set then. */
  readonly hasNews: boolean
  /** The emitted sessions that were merged into this one. */
  readonly emitted: readonly WindowBounds[]
}

/** The sessions of a key, ordered by start. */
export type StoredSessions<A> = readonly StoredSession<A>[]

export function sessionCombiner<T, A>(
  { gapMs, latenessMs }: SessionWindows,
  aggregate: WindowAggregate<T, A>,
  watermarkMs = -Infinity,
): Combiner {
  const add = ({ sessions, doubtful }: SessionPart<T, A>, timed: TimedRow<T>) => {
    const { timeMs, row } = timed
    if (timeMs + gapMs + latenessMs <= watermarkMs) doubtful.push(timed)
    else addRow(sessions, timeMs, gapMs, row, aggregate)
  }
  return {
    create(timed) {
      const part: SessionPart<T, A> = { sessions: [], doubtful: [] }
      add(part, timed as TimedRow<T>)
      return [part]
    },
    mergeValue(parts, timed) {
      add((parts as SessionPart<T, A>[])[0]!, timed as TimedRow<T>)
      return parts
    },
    // Parts are reused by retried tasks: none may change after its map task.
    mergeCombined: (left, right) => [
      ...(left as SessionPart<T, A>[]),
      ...(right as SessionPart<T, A>[]),
    ],
  }
}

/** Searches from the newest session back, because rows arrive nearly in order. */
function addRow<T, A>(
  sessions: Session<A>[],
  timeMs: number,
  gapMs: number,
  row: T,
  aggregate: WindowAggregate<T, A>,
): void {
  const endMs = timeMs + gapMs
  let until = sessions.length
  while (until > 0 && sessions[until - 1]!.startMs >= endMs) until--
  let from = until
  while (from > 0 && sessions[from - 1]!.endMs > timeMs) from--
  const [first, ...others] = sessions.slice(from, until)
  if (first === undefined) {
    sessions.splice(from, 0, { startMs: timeMs, endMs, value: aggregate.first(row) })
    return
  }
  let value = aggregate.add(first.value, row)
  for (const other of others) value = aggregate.merge(value, other.value)
  const last = others.at(-1) ?? first
  const merged = {
    startMs: Math.min(first.startMs, timeMs),
    endMs: Math.max(last.endMs, endMs),
    value,
  }
  sessions.splice(from, until - from, merged)
}

/** A session, or a row that does not belong to one yet, to be merged into the state. */
type Piece<T, A> = { readonly startMs: number; readonly endMs: number } & (
  | { readonly kind: 'stored'; readonly session: StoredSession<A> }
  | { readonly kind: 'new'; readonly value: A }
  | { readonly kind: 'doubtful'; readonly timed: TimedRow<T> }
)

export function sessionOperator<K extends Key, T, A>(
  builder: StreamBuilder,
  windows: SessionWindows,
  aggregate: WindowAggregate<T, A>,
  options: EventOperatorOptions,
): KeyedOperator<K, readonly SessionPart<T, A>[], StoredSessions<A>> {
  const { gapMs, latenessMs } = windows
  return {
    contract: statefulContract(builder, 'sessions', { ...options, shape: `gap ${gapMs}` }),
    onArrived(key, parts, scope) {
      const watermarkMs = scope.batch.watermarkMs ?? -Infinity
      const stored = scope.get() ?? []
      const kept: StoredSession<A>[] = []
      let isChanged = false
      for (const group of overlapping(pieces(stored, parts, gapMs))) {
        if (group.endMs + latenessMs <= watermarkMs) {
          for (const piece of group.pieces) {
            if (piece.kind === 'stored') kept.push(piece.session)
            if (piece.kind === 'doubtful') scope.emit(lateRow(key, piece.timed), 'late')
          }
        } else if (group.pieces.length === 1 && group.pieces[0]!.kind === 'stored') {
          kept.push(group.pieces[0]!.session)
        } else {
          kept.push(together(group, latenessMs, aggregate, scope))
          isChanged = true
        }
      }
      if (isChanged) scope.set(kept)
    },
    /**
     * Handles all due sessions of the key at once, so that a jump of the watermark costs each key
     * only once.
     */
    onTimer(key, timer, scope) {
      const watermarkMs = scope.batch.watermarkMs ?? -Infinity
      const stored = scope.get() ?? []
      const isStray =
        timer.tag === windowTag.cleanup &&
        !stored.some(({ endMs }) => endMs === timer.timeMs - latenessMs)
      const kept: StoredSession<A>[] = []
      for (const session of stored) {
        const { startMs, endMs, value, results, hasNews } = session
        if (endMs > watermarkMs) {
          kept.push(session)
          continue
        }
        if (hasNews) {
          scope.emit(resultOf(key, session))
          scope.deleteTimer('event', endMs, windowTag.result)
        }
        const cleanupMs = endMs + latenessMs
        if (cleanupMs <= watermarkMs) {
          scope.deleteTimer('event', cleanupMs, windowTag.cleanup)
          continue
        }
        if (hasNews || isStray) scope.setTimer('event', cleanupMs, windowTag.cleanup)
        const emitted = [{ startMs, endMs }]
        kept.push(
          hasNews
            ? { startMs, endMs, value, results: results + 1, hasNews: false, emitted }
            : session,
        )
      }
      if (kept.length === 0) scope.delete()
      else scope.set(kept)
    },
  }
}

function pieces<T, A>(
  stored: StoredSessions<A>,
  parts: readonly SessionPart<T, A>[],
  gapMs: number,
): Piece<T, A>[] {
  const all: Piece<T, A>[] = stored.map((session) => {
    return { kind: 'stored', startMs: session.startMs, endMs: session.endMs, session }
  })
  for (const { sessions, doubtful } of parts) {
    for (const { startMs, endMs, value } of sessions) {
      all.push({ kind: 'new', startMs, endMs, value })
    }
    for (const timed of doubtful) {
      const { timeMs } = timed
      all.push({ kind: 'doubtful', startMs: timeMs, endMs: timeMs + gapMs, timed })
    }
  }
  return all.sort((one, other) => one.startMs - other.startMs)
}

interface Group<T, A> extends WindowBounds {
  readonly pieces: Piece<T, A>[]
}

/** `pieces` are ordered by start; those of one group form one session. */
function overlapping<T, A>(pieces: readonly Piece<T, A>[]): Group<T, A>[] {
  const groups: { startMs: number; endMs: number; pieces: Piece<T, A>[] }[] = []
  for (const piece of pieces) {
    const last = groups.at(-1)
    if (last && piece.startMs < last.endMs) {
      last.pieces.push(piece)
      last.endMs = Math.max(last.endMs, piece.endMs)
    } else {
      groups.push({ startMs: piece.startMs, endMs: piece.endMs, pieces: [piece] })
    }
  }
  return groups
}

/** Merges the pieces of a group into a session, and sets the timer of its result. */
function together<T, A>(
  { startMs, endMs, pieces }: Group<T, A>,
  latenessMs: number,
  aggregate: WindowAggregate<T, A>,
  scope: KeyScope<StoredSessions<A>>,
): StoredSession<A> {
  let value: { readonly of: A } | undefined
  let results = 0
  let hasTimer = false
  const emitted: WindowBounds[] = []
  for (const piece of pieces) {
    if (piece.kind === 'doubtful') {
      const { row } = piece.timed
      value = { of: value ? aggregate.add(value.of, row) : aggregate.first(row) }
      continue
    }
    const added = piece.kind === 'stored' ? piece.session.value : piece.value
    value = { of: value ? aggregate.merge(value.of, added) : aggregate.own(added) }
    if (piece.kind === 'new') continue
    const { session } = piece
    results = Math.max(results, session.results)
    emitted.push(...session.emitted)
    if (session.hasNews && session.endMs === endMs) hasTimer = true
    else if (session.hasNews) scope.deleteTimer('event', session.endMs, windowTag.result)
    if (session.results > 0) {
      scope.deleteTimer('event', session.endMs + latenessMs, windowTag.cleanup)
    }
  }
  if (!hasTimer) scope.setTimer('event', endMs, windowTag.result)
  return { startMs, endMs, value: value!.of, results, hasNews: true, emitted }
}

function resultOf<K extends Key, A>(
  key: K,
  { startMs, endMs, value, results, emitted }: StoredSession<A>,
): WindowResult<K, A> {
  const replaces = emitted.filter(
    (earlier) => earlier.startMs !== startMs || earlier.endMs !== endMs,
  )
  const result = { key, startMs, endMs, value, revision: results }
  return replaces.length === 0 ? result : { ...result, replaces }
}

/** Returns the sessions of a key, ordered by start. */
export function openSessions<K extends Key, A>(key: K, stored: StoredSessions<A>) {
  return stored.map(({ startMs, endMs, value, results }): OpenWindow<K, A> => {
    return { key, startMs, endMs, value, results }
  })
}
