// Coordination as its users see it: a tree of small nodes, changed by transactions in one order for
// everyone, with sessions, ephemeral and sequential nodes, versions and watches, as in ZooKeeper.
//
// Reads are local and may be behind: `sync` first where that matters. Nothing may be decided by a
// read: decide by a transaction that checks what was read.

import type { NodeStat, Operation, OperationResult, TreeEvent } from './tree/operation.ts'

export interface TreeNode {
  /** Must not be changed. */
  readonly data: Uint8Array
  readonly stat: NodeStat
}

/** Reads of the tree as folded so far. */
export interface TreeReader {
  /** Undefined if the node does not exist. */
  get(path: string): TreeNode | undefined
  exists(path: string): NodeStat | undefined
  /** Names (not paths) of the children, sorted; undefined if the node does not exist. */
  children(path: string): string[] | undefined
  /** zxid of the last transaction that was folded. */
  readonly zxid: number
}

export type WatchMode =
  /** The node itself, and the names of its children. */
  | 'node'
  /** The node and everything below it. */
  | 'recursive'

export interface WatchListener {
  /**
   * Called for each change, in order, when the tree has the transaction of the change and none
   * after it. Nothing is missed: after a gap that only a snapshot can close, the events between
   * both states are delivered.
   */
  onEvent(event: TreeEvent): void
}

/**
 * `connected`: the log was reached within the timeouts of all sessions of this member.
 * `suspended`: it was not; the sessions may have expired, and whoever leads must stop to decide.
 * `damaged`: changes are refused until the log is repaired; reads go on.
 */
export type CoordinationStatus = 'connected' | 'suspended' | 'damaged' | 'closed'

export interface SessionOptions {
  /** Time without any entry of this member after which the session expires, in ms. */
  readonly timeoutMs: number
  readonly name: string
}

export interface Session {
  readonly id: string
  readonly timeoutMs: number
  /**
   * Whether the session certainly has not expired: the member was heard within its timeout, by the
   * member's own clock. False may become true again, unless the session has ended.
   */
  readonly isCertain: boolean
  /** Resolves when the session has ended, by expiry or `close`. */
  readonly ended: Promise<void>
  readonly hasEnded: boolean
  /** Calls back whenever `isCertain` changes. Returns a function that ends it. */
  onCertain(listener: (isCertain: boolean) => void): () => void
  transact(operations: readonly Operation[]): Promise<readonly OperationResult[]>
  /** Ends the session and deletes its ephemeral nodes. */
  close(): Promise<void>
}

/** For metrics and status. */
export interface CoordinationFigures {
  /** Requests that are not answered yet. */
  readonly pendingRequests: number
  /** Sequence of the last folded entry, and the log's generation and id. */
  readonly sequence: number
  readonly generation: number
  readonly logId: string
  /** Sessions in the tree, of all members. */
  readonly sessions: readonly SessionFigures[]
}

export interface SessionFigures {
  readonly id: string
  readonly name: string
  readonly timeoutMs: number
  /** Time of the log since the session's member was heard, in ms. */
  readonly unheardMs: number
}

export interface Coordination {
  readonly tree: TreeReader
  figures(): CoordinationFigures
  readonly status: CoordinationStatus
  /** Why the log is damaged or out of reach; undefined while it is not. */
  readonly problem: string | undefined
  onStatus(listener: (status: CoordinationStatus) => void): () => void
  /**
   * Applies all operations or none. Rejects with a TransactionError if they are refused, and with a
   * CoordinationError otherwise: COORDINATION_UNAVAILABLE means that the outcome is unknown.
   */
  transact(operations: readonly Operation[]): Promise<readonly OperationResult[]>
  /** Resolves when the tree has everything that was committed before the call. */
  sync(): Promise<void>
  watch(path: string, mode: WatchMode, listener: WatchListener): () => void
  openSession(options: SessionOptions): Promise<Session>
  close(): Promise<void>
}
