// Decides when a member appends an entry only to be heard, or to let the log's clock advance. Pure.
//
// Every entry is a heartbeat of its member, so a member that proposes often enough needs no others.
// The clock of the log advances by entries only: somebody has to append when nothing happens, or
// the sessions of dead members would never expire. Members take turns by rank, so that not all of
// them append at once.

import type { SessionRecord } from '../tree/coordinationState.ts'

/** Time without any entry after which the first member appends one. */
const idleEntryMs = 700
/** Further time for each member before this one in the order of ranks, and in total. */
const rankDelayMs = 100
const maxRankDelayMs = 300

export interface HeartbeatInput {
  readonly member: string
  readonly sessions: Iterable<SessionRecord>
  /** Time since an entry of this member was folded, and since any. */
  readonly unheardMs: number
  readonly idleMs: number
  /** Whether others can append to the log. */
  readonly isShared: boolean
}

export function isHeartbeatDue(input: HeartbeatInput): boolean {
  const { member, sessions, unheardMs, idleMs, isShared } = input
  if (!isShared) return false
  const others = new Set<string>()
  let shortestMs = Number.POSITIVE_INFINITY
  for (const session of sessions) {
    if (session.member === member) shortestMs = Math.min(shortestMs, session.timeoutMs)
    else others.add(session.member)
  }
  if (unheardMs >= shortestMs / 3) return true
  if (others.size === 0) return false
  const isHolder = shortestMs < Number.POSITIVE_INFINITY
  let rank = 0
  for (const other of others) if (!isHolder || other < member) rank++
  return idleMs >= idleEntryMs + Math.min(rank * rankDelayMs, maxRankDelayMs)
}
