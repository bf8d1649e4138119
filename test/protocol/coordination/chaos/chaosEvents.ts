// What a member of a chaos run reports: calls and answers, places in queues, and what it saw. Plain
// data, so that a process which is killed has reported all but its last moment through a pipe.
//
// Times are those of the machine's monotonic clock in µs, which all processes share: an event of
// one process can be ordered with one of another.

import type { CoordinationStatus } from '../../../../protocol/coordination/coordination.ts'
import type { NodeInput, NodeOutput } from '../../../simulation/checkers/coordinationModel.ts'

/** A write to what a lock protects: refused if a higher token was presented before. */
export interface FencedWrite {
  readonly kind: 'write'
  readonly lock: string
  readonly token: number
  /** What the node has after the write: no other write has it. */
  readonly data: string
}

export type CallInput = NodeInput | FencedWrite
/** Of a fenced write: whether it was accepted. */
export type CallOutput = NodeOutput | boolean

export type CallOutcome =
  | { readonly type: 'answered'; readonly output: CallOutput }
  /** It was said that the call has no effect, and never will have one. */
  | { readonly type: 'refused' }
  | { readonly type: 'unknown' }

export type ChaosEvent =
  | {
      readonly kind: 'call'
      readonly call: string
      readonly member: string
      readonly input: CallInput
      readonly at: number
    }
  | {
      readonly kind: 'return'
      readonly call: string
      readonly outcome: CallOutcome
      readonly at: number
    }
  /** A place in the queue of an election or a lock, from here on called a tenure. */
  | {
      readonly kind: 'join'
      readonly tenure: string
      readonly member: string
      readonly queue: string
      readonly at: number
    }
  /** The tenure leads, or holds the lock. `token`: its epoch, or fencing token. */
  | { readonly kind: 'held'; readonly tenure: string; readonly token: number; readonly at: number }
  /** The tenure was certain at a moment between `after` and `before`. */
  | {
      readonly kind: 'certain'
      readonly tenure: string
      readonly after: number
      readonly before: number
    }
  | { readonly kind: 'leave'; readonly tenure: string; readonly at: number }
  | { readonly kind: 'left'; readonly tenure: string; readonly at: number }
  /** Who led at a moment between the call and its answer: the data and the epoch of the leader. */
  | {
      readonly kind: 'observed'
      readonly member: string
      readonly leader: string
      readonly epoch: number
      readonly calledAt: number
      readonly at: number
    }
  | {
      readonly kind: 'status'
      readonly member: string
      readonly status: CoordinationStatus
      readonly problem: string | undefined
      readonly at: number
    }
  | {
      readonly kind: 'missed'
      readonly member: string
      readonly message: string
      readonly at: number
    }
  | { readonly kind: 'log'; readonly member: string; readonly message: string; readonly at: number }

export type Report = (event: ChaosEvent) => void

/** What a member has at the end of a run. */
export interface MemberState {
  readonly name: string
  readonly status: CoordinationStatus
  readonly sequence: number
  /** Digest of all nodes with all that can be read of them. */
  readonly tree: string
  /** The epoch in which this member certainly leads. */
  readonly leads: number | undefined
  /** The epoch of the leader that this member sees. */
  readonly sees: number | undefined
  readonly registered: readonly string[]
  readonly isRegistered: boolean
  readonly pendingRequests: number
}

/** The machine's monotonic clock, in µs. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}
