// The calls of a history: each operation with its invocation, its completion and what it did to
// partitions, so that the checks need not pair entries themselves.
//
// Contract: calls are in the order of their invocations. A call without a completion is unknown.

import type { EntryType, History, HistoryEntry } from './history.ts'
import type { OffsetCommit, Operation, Poll, Send } from './operations.ts'

/** What became of the writes of a call. */
export type Outcome = 'committed' | 'aborted' | 'unknown'

export class Call {
  readonly ordinal: number
  readonly process: string
  /** Position of the invocation in the history. */
  readonly invokedAt: number
  /** Position of the completion in the history; Infinity without one. */
  completedAt = Number.POSITIVE_INFINITY
  type: Exclude<EntryType, 'invoke'> = 'info'
  /** The completion, or the invocation if there is none. */
  entry: HistoryEntry
  outcome: Outcome = 'unknown'
  /** Position from which on it is certain that the writes are committed. */
  committedAt = Number.POSITIVE_INFINITY

  constructor(ordinal: number, invokedAt: number, entry: HistoryEntry) {
    this.ordinal = ordinal
    this.process = entry.process
    this.invokedAt = invokedAt
    this.entry = entry
  }

  get operation(): Operation {
    return this.entry.operation
  }

  get isTransaction(): boolean {
    return this.entry.operation.kind === 'txn'
  }

  complete(at: number, entry: HistoryEntry): void {
    this.completedAt = at
    this.entry = entry
    this.type = entry.type as 'ok' | 'fail' | 'info'
    this.outcome = outcomeOf(entry)
    if (this.outcome === 'committed') this.committedAt = at
  }

  /** Something proves that the writes of a call with unknown outcome are committed. */
  prove(at: number): void {
    this.outcome = 'committed'
    this.committedAt = Math.min(this.committedAt, at)
  }
}

/** A transaction whose end was to be an abort is never committed, whatever it was answered. */
function outcomeOf(entry: HistoryEntry): Outcome {
  if (entry.type === 'fail') return 'aborted'
  const operation = entry.operation
  if (operation.kind === 'txn' && operation.end === 'abort') return 'aborted'
  return entry.type === 'ok' ? 'committed' : 'unknown'
}

export interface Calls {
  /** In the order of invocations. */
  readonly all: readonly Call[]
  /** Those with a completion, in the order of completions. */
  readonly completed: readonly Call[]
}

export function callsOf(history: History): Calls {
  const all: Call[] = []
  const completed: Call[] = []
  const open = new Map<number, Call>()
  history.forEach((entry, at) => {
    const call = open.get(entry.id) ?? new Call(all.length, at, entry)
    if (call.ordinal === all.length) all.push(call)
    if (entry.type === 'invoke') {
      open.set(entry.id, call)
      return
    }
    open.delete(entry.id)
    call.complete(at, entry)
    completed.push(call)
  })
  for (const call of open.values()) call.outcome = outcomeOf(call.entry)
  return { all, completed }
}

/** The sends of a call, in its order. */
export function sendsOf(operation: Operation): readonly Send[] {
  if (operation.kind === 'send') return [operation]
  return operation.kind === 'txn' ? operation.steps.filter((step) => step.kind === 'send') : []
}

/** The polls of a call, in its order. */
export function pollsOf(operation: Operation): readonly Poll[] {
  if (operation.kind === 'poll') return [operation]
  return operation.kind === 'txn' ? operation.steps.filter((step) => step.kind === 'poll') : []
}

/** The offsets that a call commits. */
export function commitsOf(operation: Operation): readonly OffsetCommit[] {
  if (operation.kind === 'commit') return [operation]
  return operation.kind === 'txn' ? operation.steps.filter((step) => step.kind === 'commit') : []
}
