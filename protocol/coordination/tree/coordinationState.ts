// The fold of coordination: the tree and the sessions as they are after the entries of the log so
// far. Pure: the same entries give the same state and the same outcomes in every process.

import { assert } from '../../runtime/assert.ts'
import type { TreeNode, TreeReader } from '../coordination.ts'
import type { NodeStat, TransactionOutcome, TreeEvent } from './operation.ts'
import type { Entry } from './proposal.ts'

export interface SessionRecord {
  readonly id: string
  readonly member: string
  readonly name: string
  readonly timeoutMs: number
  /** Clock of the log at the last entry of the session's member. */
  readonly lastHeardMs: number
  readonly openedZxid: number
}

export interface AppliedRequest {
  /** Of the request in the entry; -1: sessions that expired. */
  readonly index: number
  /** Undefined for index -1. */
  readonly outcome: TransactionOutcome | undefined
  readonly events: readonly TreeEvent[]
  readonly endedSessions: readonly string[]
}

export class CoordinationState implements TreeReader {
  /** Returns the state before the first entry of a log. */
  static create(generation: number): CoordinationState {
    assert(generation > 0, 'a generation counts from 1')
    return new CoordinationState()
  }

  /**
   * Returns the state that `snapshot` was taken of. Throws a MalformedError, or a CoordinationError
   * COORDINATION_UNSUPPORTED for the format of a later release.
   */
  static restore(bytes: Uint8Array): CoordinationState {
    assert(bytes.length > 0, 'not written yet')
    return new CoordinationState()
  }

  readonly sessions: ReadonlyMap<string, SessionRecord> = new Map()

  /** Clock of the log in ms: the sum of the steps of its entries. */
  get clockMs(): number {
    return 0
  }

  get generation(): number {
    return 0
  }

  get zxid(): number {
    return 0
  }

  /**
   * Applies one entry. Calls back after each step (sessions that expired first, then request by
   * request), when the state has this step and none after it. Throws a MalformedError, with nothing
   * applied, if the entry's step is no duration.
   */
  apply(entry: Entry, onApplied: (applied: AppliedRequest) => void): void {
    assert(entry === undefined && onApplied === undefined, 'not written yet')
  }

  /** Continues in the log of a repair: zxids go on above all earlier ones. */
  beginGeneration(generation: number): void {
    assert(generation > this.generation, 'a repair raises the generation')
  }

  /** Equal states give equal bytes. */
  snapshot(): Buffer {
    return Buffer.alloc(0)
  }

  get(path: string): TreeNode | undefined {
    assert(path === undefined, 'not written yet')
    return undefined
  }

  exists(path: string): NodeStat | undefined {
    assert(path === undefined, 'not written yet')
    return undefined
  }

  children(path: string): string[] | undefined {
    assert(path === undefined, 'not written yet')
    return undefined
  }
}
