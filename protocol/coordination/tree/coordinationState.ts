// The fold of coordination: the tree and the sessions as they are after the entries of the log so
// far. Pure: the same entries give the same state, the same outcomes and the same events in every
// process, also when a process started from a snapshot. It must never read a clock, and never
// depend on the order in which a Map happens to have its keys.
//
// Order within an entry: the clock of the log advances; the sessions of the entry's member are
// renewed, since the entry proves that the member lives; other sessions past their deadline end;
// then the requests are applied in order. A zxid is given to every request, also a refused one, and
// to the end of expired sessions: generation * 2^40 + a count, so no two steps of a log, nor of its
// repaired successors, have the same, and the createdZxid of a node is a fencing epoch.

import { MalformedError } from '../../bytes/malformed.ts'
import { assert, unreachable } from '../../runtime/assert.ts'
import type { TreeNode, TreeReader } from '../coordination.ts'
import type { TransactionErrorCode } from '../coordinationError.ts'
import { Stamp } from './node.ts'
import { NodeTree } from './nodeTree.ts'
import {
  maxOperations,
  maxTransactionBytes,
  type NodeStat,
  type Operation,
  type OperationResult,
  type TransactionOutcome,
  type TreeEvent,
} from './operation.ts'
import {
  type Entry,
  maxSessionTimeoutMs,
  maxStepMs,
  minSessionTimeoutMs,
  type Request,
} from './proposal.ts'
import { type SessionRecord, SessionTable } from './sessionTable.ts'
import { readSnapshot, writeSnapshot, zxidsPerGeneration } from './snapshotCodec.ts'
import { TreeTransaction } from './treeTransaction.ts'

export type { SessionRecord } from './sessionTable.ts'

export interface AppliedRequest {
  /** Of the request in the entry; -1: sessions that expired. */
  readonly index: number
  /** Undefined for index -1. */
  readonly outcome: TransactionOutcome | undefined
  readonly events: readonly TreeEvent[]
  readonly endedSessions: readonly string[]
}

type OpenRequest = Extract<Request, { type: 'openSession' }>
type TransactionRequest = Extract<Request, { type: 'transaction' }>

const expiryIndex = -1
/** Of an outcome for which no single operation is at fault. */
const noOperation = -1
const maxSessionTextBytes = 1024
/** The largest of which every zxid is a safe integer. */
const maxGeneration = Math.floor(Number.MAX_SAFE_INTEGER / zxidsPerGeneration)

export class CoordinationState implements TreeReader {
  /** Returns the state before the first entry of a log. */
  static create(generation: number): CoordinationState {
    const state = new CoordinationState(0, new SessionTable(0), new NodeTree())
    state.beginGeneration(generation)
    return state
  }

  /**
   * Returns the state that `bytes` is the snapshot of. Throws a MalformedError, or a
   * CoordinationError COORDINATION_UNSUPPORTED for the format of a later release.
   */
  static restore(bytes: Uint8Array): CoordinationState {
    const { zxid, sessions, tree } = readSnapshot(bytes)
    return new CoordinationState(zxid, sessions, tree)
  }

  #zxid: number
  readonly #sessions: SessionTable
  readonly #tree: NodeTree
  #isApplying = false

  private constructor(zxid: number, sessions: SessionTable, tree: NodeTree) {
    this.#zxid = zxid
    this.#sessions = sessions
    this.#tree = tree
  }

  /** In the order in which they were opened. */
  get sessions(): ReadonlyMap<string, SessionRecord> {
    return this.#sessions.sessions
  }

  /** Clock of the log in ms: the sum of the steps of its entries. */
  get clockMs(): number {
    return this.#sessions.clockMs
  }

  get generation(): number {
    return Math.floor(this.#zxid / zxidsPerGeneration)
  }

  get zxid(): number {
    return this.#zxid
  }

  /**
   * Applies one entry. Calls back after each step (sessions that expired first, then request by
   * request), when the state has this step and none after it. Throws a MalformedError, with nothing
   * applied, if the entry's times are none. The callback must neither throw nor apply.
   */
  apply(entry: Entry, onApplied: (applied: AppliedRequest) => void): void {
    assert(!this.#isApplying, 'entries are applied one after the other')
    const { stepMs, wallMs } = entry
    if (!(stepMs >= 0)) throw new MalformedError(`step of an entry: ${stepMs} ms`)
    if (!Number.isFinite(wallMs)) throw new MalformedError(`time of an entry: ${wallMs} ms`)
    this.#isApplying = true
    try {
      this.#sessions.advance(Math.min(stepMs, maxStepMs), entry.member)
      this.#expire(wallMs, onApplied)
      for (let index = 0; index < entry.requests.length; index++) {
        onApplied(this.#applyRequest(entry, index, entry.requests[index]!))
      }
    } finally {
      this.#isApplying = false
    }
  }

  /**
   * Continues in the log of a repair: zxids go on above all earlier ones. Every session has its
   * whole timeout again, since its member may have been heard until the repair, in entries that the
   * repaired log does not have: otherwise it could expire while its holder is certain of it.
   */
  beginGeneration(generation: number): void {
    assert(generation > this.generation, 'a repair raises the generation')
    assert(generation <= maxGeneration, `a generation is at most ${maxGeneration}`)
    this.#zxid = generation * zxidsPerGeneration
    this.#sessions.renewAll()
  }

  /** Equal states give equal bytes. */
  snapshot(): Buffer {
    return writeSnapshot({ zxid: this.#zxid, sessions: this.#sessions, tree: this.#tree })
  }

  /** Paths of the nodes of a session, sorted. */
  ephemeralsOf(session: string): string[] {
    return this.#tree.ephemeralsOf(session)
  }

  get(path: string): TreeNode | undefined {
    return this.#tree.get(path)
  }

  exists(path: string): NodeStat | undefined {
    return this.#tree.exists(path)
  }

  children(path: string): string[] | undefined {
    return this.#tree.children(path)
  }

  #nextStamp(wallMs: number): Stamp {
    this.#zxid++
    assert(this.#zxid % zxidsPerGeneration !== 0, 'a generation has at most 2^40 transactions')
    return new Stamp(this.#zxid, wallMs)
  }

  #expire(wallMs: number, onApplied: (applied: AppliedRequest) => void): void {
    const expired = this.#sessions.expired()
    if (expired.length === 0) return
    const transaction = new TreeTransaction(this.#tree, this.#nextStamp(wallMs), undefined)
    for (const session of expired) this.#end(session, transaction)
    const { events } = transaction
    onApplied({ index: expiryIndex, outcome: undefined, events, endedSessions: expired })
  }

  #end(session: string, transaction: TreeTransaction): void {
    transaction.deleteEphemerals(session)
    this.#sessions.end(session)
  }

  #applyRequest(entry: Entry, index: number, request: Request): AppliedRequest {
    const stamp = this.#nextStamp(entry.wallMs)
    switch (request.type) {
      case 'openSession':
        return withoutEvents(index, this.#openSession(entry.member, request))
      case 'closeSession':
        return this.#closeSession(index, request.session, stamp)
      case 'transaction':
        return this.#transact(index, request, stamp)
      default:
        return unreachable(request)
    }
  }

  /**
   * Ids are random, so ids of ended sessions are not kept: one that is used again is not noticed,
   * and opens another session.
   */
  #openSession(member: string, request: OpenRequest): TransactionOutcome {
    const { session: id, name, timeoutMs } = request
    const fault = this.#sessionFault(request)
    if (fault !== undefined) return this.#refusal('BAD_ARGUMENTS', `open session ${id}: ${fault}`)
    const lastHeardMs = this.#sessions.clockMs
    const openedZxid = this.#zxid
    this.#sessions.open({ id, member, name, timeoutMs, lastHeardMs, openedZxid })
    return { zxid: this.#zxid, results: [] }
  }

  #sessionFault({ session, name, timeoutMs }: OpenRequest): string | undefined {
    if (session === '') return 'a session has an id'
    if (Buffer.byteLength(session) > maxSessionTextBytes) {
      return `the id of a session has at most ${maxSessionTextBytes} bytes`
    }
    if (Buffer.byteLength(name) > maxSessionTextBytes) {
      return `the name of a session has at most ${maxSessionTextBytes} bytes`
    }
    if (!(timeoutMs >= minSessionTimeoutMs && timeoutMs <= maxSessionTimeoutMs)) {
      return `a timeout of ${timeoutMs} ms is not from ${minSessionTimeoutMs} to ${maxSessionTimeoutMs}`
    }
    return this.#sessions.sessions.has(session) ? 'the session exists' : undefined
  }

  #closeSession(index: number, session: string, stamp: Stamp): AppliedRequest {
    const outcome = { zxid: stamp.zxid, results: [] }
    if (!this.#sessions.sessions.has(session)) return withoutEvents(index, outcome)
    const transaction = new TreeTransaction(this.#tree, stamp, undefined)
    this.#end(session, transaction)
    return { index, outcome, events: transaction.events, endedSessions: [session] }
  }

  #transact(index: number, request: TransactionRequest, stamp: Stamp): AppliedRequest {
    const refusal = this.#transactionRefusal(request)
    if (refusal !== undefined) return withoutEvents(index, refusal)
    const transaction = new TreeTransaction(this.#tree, stamp, this.#ownerId(request.session))
    const outcome = this.#applyAll(request.operations, transaction)
    return { index, outcome, events: transaction.events, endedSessions: [] }
  }

  #transactionRefusal({ session, operations }: TransactionRequest): TransactionOutcome | undefined {
    if (session !== undefined && !this.#sessions.sessions.has(session)) {
      return this.#refusal('SESSION_EXPIRED', `session ${session} has expired or was closed`)
    }
    if (operations.length > maxOperations) {
      const message = `${operations.length} operations; at most ${maxOperations} are allowed`
      return this.#refusal('BAD_ARGUMENTS', message)
    }
    const bytes = transactionBytes(operations)
    if (bytes > maxTransactionBytes) {
      const message = `${bytes} bytes of paths and data; at most ${maxTransactionBytes} are allowed`
      return this.#refusal('BAD_ARGUMENTS', message)
    }
    return undefined
  }

  #applyAll(operations: readonly Operation[], transaction: TreeTransaction): TransactionOutcome {
    const results: OperationResult[] = []
    for (let index = 0; index < operations.length; index++) {
      const result = transaction.apply(operations[index]!)
      if ('error' in result) {
        transaction.rollBack()
        return { zxid: this.#zxid, ...result, operation: index }
      }
      results.push(result)
    }
    return { zxid: this.#zxid, results }
  }

  /** The text that the session itself has: one for all its nodes, instead of one for each. */
  #ownerId(session: string | undefined): string | undefined {
    return session === undefined ? undefined : this.#sessions.sessions.get(session)?.id
  }

  #refusal(error: TransactionErrorCode, message: string): TransactionOutcome {
    return { zxid: this.#zxid, error, message, operation: noOperation }
  }
}

function withoutEvents(index: number, outcome: TransactionOutcome): AppliedRequest {
  return { index, outcome, events: [], endedSessions: [] }
}

function transactionBytes(operations: readonly Operation[]): number {
  let bytes = 0
  for (const operation of operations) {
    bytes += Buffer.byteLength(operation.path)
    if ('data' in operation) bytes += operation.data.length
  }
  return bytes
}
