// What a member has folded of the log: the tree, its watches, and the chain of digests. Entries are
// folded once and in order; what does not follow is damage, and is never folded.

import { assert } from '../../runtime/assert.ts'
import type { TreeReader } from '../coordination.ts'
import { Chain, type ChainFailure, openSnapshot } from '../log/chain.ts'
import type {
  LogEntry,
  LogHistory,
  LogIdentity,
  LogPosition,
  LogSnapshot,
} from '../log/coordinationLog.ts'
import { CoordinationState, type SessionRecord } from '../tree/coordinationState.ts'
import { decodeEntry } from '../tree/entryCodec.ts'
import type { TransactionOutcome } from '../tree/operation.ts'
import type { Entry } from '../tree/proposal.ts'
import { treeDifference } from '../tree/treeDifference.ts'
import { Watches } from '../tree/watches.ts'
import { damaged, unsupported } from './problems.ts'

export interface FoldedEntry {
  readonly sequence: number
  readonly entry: Entry
  /** Of each request, in order. */
  readonly outcomes: readonly TransactionOutcome[]
}

export class Replica {
  readonly watches = new Watches()
  readonly #onSessionsEnded: (sessions: readonly string[]) => void
  #chain: Chain
  #state: CoordinationState

  constructor(history: LogHistory, onSessionsEnded: (sessions: readonly string[]) => void) {
    this.#onSessionsEnded = onSessionsEnded
    const { chain, state } = restored(history.identity, history.snapshot)
    this.#chain = chain
    this.#state = state
    for (const entry of history.entries) this.fold(entry)
  }

  get state(): CoordinationState {
    return this.#state
  }

  get tree(): TreeReader {
    return this.#state
  }

  get sessions(): ReadonlyMap<string, SessionRecord> {
    return this.#state.sessions
  }

  /** Sequence of the last folded entry. */
  get sequence(): number {
    return this.#chain.sequence
  }

  get identity(): LogIdentity {
    return this.#chain.identity
  }

  /** Returns the bytes of the next entry. */
  frame(payload: Uint8Array): Uint8Array {
    return this.#chain.frame(payload)
  }

  position(member: string): LogPosition {
    return this.#chain.position(member)
  }

  /**
   * Folds the next entry, and delivers its events. Returns undefined for an entry that was folded
   * before. Throws a CoordinationError if the entry does not follow, or cannot be read.
   */
  fold({ sequence, bytes }: LogEntry): FoldedEntry | undefined {
    if (sequence <= this.#chain.sequence) {
      if (this.#chain.hasOther(sequence, bytes)) {
        throw damaged(`entry ${sequence} is another one than this process has folded`)
      }
      return undefined
    }
    const followed = this.#chain.follow(sequence, bytes)
    if ('fault' in followed) throw failed(followed)
    const entry = readable(`entry ${sequence}`, () => decodeEntry(followed.payload))
    const outcomes: TransactionOutcome[] = []
    this.#state.apply(entry, ({ outcome, events, endedSessions }) => {
      if (outcome) outcomes.push(outcome)
      this.watches.deliver(events)
      if (endedSessions.length > 0) this.#onSessionsEnded(endedSessions)
    })
    assert(outcomes.length === entry.requests.length, 'each request has an outcome')
    return { sequence, entry, outcomes }
  }

  /** Compares what another member claims about the log. Throws if it has other entries. */
  compare(claim: LogPosition): void {
    if (!this.isOtherThan(claim)) return
    throw damaged(
      `${claim.member} has another entry ${claim.sequence} than this process: the log forked`,
    )
  }

  /** Whether the position is about another branch of the log; false if that is unknown. */
  isOtherThan(position: LogPosition): boolean {
    return this.#chain.compare(position) === 'different'
  }

  /**
   * Replaces the state by a snapshot, and delivers the events between both. Throws a
   * CoordinationError, and keeps the state, if the snapshot cannot be read or is one of another
   * branch of the log.
   */
  replace(identity: LogIdentity, snapshot: LogSnapshot | undefined): void {
    const before = this.#state
    const { chain, state } = restored(identity, snapshot)
    if (chain.compare(this.#chain.position('')) === 'different') {
      throw damaged(
        `the snapshot at entry ${chain.sequence} follows another entry ${this.sequence} than ` +
          'this process has folded',
      )
    }
    this.#chain = chain
    this.#state = state
    const ended = [...before.sessions.keys()].filter((id) => !state.sessions.has(id))
    this.watches.deliver(treeDifference(before, state))
    if (ended.length > 0) this.#onSessionsEnded(ended)
  }

  /** A snapshot of everything folded so far. */
  snapshot(): LogSnapshot {
    const { sequence } = this.#chain
    return { sequence, bytes: this.#chain.frameSnapshot(this.#state.snapshot()) }
  }
}

function restored(
  identity: LogIdentity,
  snapshot: LogSnapshot | undefined,
): { chain: Chain; state: CoordinationState } {
  if (snapshot === undefined) {
    return { chain: new Chain(identity), state: CoordinationState.create(identity.generation) }
  }
  const opened = openSnapshot(snapshot.bytes)
  if ('fault' in opened) throw failed(opened)
  const { sequence } = snapshot
  if (opened.identity.id !== identity.id || opened.sequence !== sequence) {
    throw damaged(`the snapshot at entry ${sequence} belongs to another log`)
  }
  const state = readable('the snapshot', () => CoordinationState.restore(opened.state))
  return { chain: new Chain(identity, opened), state }
}

function failed({ fault, problem }: ChainFailure): Error {
  return fault === 'unsupported' ? unsupported(problem) : damaged(problem)
}

function readable<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    if (code === 'COORDINATION_UNSUPPORTED') throw unsupported(message, error)
    if (code === 'MALFORMED') throw damaged(`${what} is malformed (${message})`, error)
    throw error
  }
}
