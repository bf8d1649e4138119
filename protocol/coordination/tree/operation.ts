// The operations of a transaction and their results, as plain data. ZooKeeper's operations with
// ZooKeeper's semantics: a transaction applies as a whole or not at all, and each operation sees
// the effects of those before it.
//
// A path is absolute ("/brokers/ids/1"), has no empty, "." or ".." component, and does not end with
// "/" except for the root, which always exists and cannot be deleted.

import type { TransactionErrorCode } from '../coordinationError.ts'

export type Operation =
  | {
      readonly type: 'create'
      readonly path: string
      readonly data: Uint8Array
      /** Deleted when the session of the transaction ends; needs a session. Has no children. */
      readonly isEphemeral?: boolean
      /** Appends a number to the path, which grows with every such child of the parent. */
      readonly isSequential?: boolean
    }
  /** `version`: the expected one; any unless given. */
  | {
      readonly type: 'set'
      readonly path: string
      readonly data: Uint8Array
      readonly version?: number
    }
  | { readonly type: 'delete'; readonly path: string; readonly version?: number }
  /** The node exists, with this version if it is given. */
  | { readonly type: 'check'; readonly path: string; readonly version?: number }

export interface NodeStat {
  /** zxid of the transaction that created the node: unique to it, and a fencing epoch. */
  readonly createdZxid: number
  /** zxid of the last change of the data. */
  readonly modifiedZxid: number
  /** zxid of the last creation or deletion of a child. */
  readonly childrenZxid: number
  /** Number of changes of the data. */
  readonly version: number
  /** Number of creations and deletions of children. */
  readonly childrenVersion: number
  /** Session that owns the node; undefined for a persistent node. */
  readonly ephemeralOwner: string | undefined
  /** Wall-clock time of the member that proposed the transaction, in ms since the epoch. */
  readonly createdMs: number
  readonly modifiedMs: number
  readonly dataBytes: number
  readonly childCount: number
}

/** `path` of a created node includes the number of a sequential one. */
export interface OperationResult {
  readonly path: string
  /** Of the node after the operation; undefined for `delete`. */
  readonly stat: NodeStat | undefined
}

export type TransactionOutcome =
  | { readonly zxid: number; readonly results: readonly OperationResult[] }
  /** Nothing was changed. `operation` is the index of the operation at fault, or -1. */
  | {
      readonly zxid: number
      readonly error: TransactionErrorCode
      readonly message: string
      readonly operation: number
    }

/** A change of the tree, for watches. A deleted parent of nothing: its children go first. */
export interface TreeEvent {
  readonly type: 'created' | 'changed' | 'deleted'
  readonly path: string
  readonly zxid: number
}

/** Limits, as in ZooKeeper; a transaction beyond them is refused with BAD_ARGUMENTS. */
export const maxDataBytes = 1024 * 1024
export const maxPathBytes = 1024
export const maxOperations = 10_000
/** Of all operations of one transaction: an entry must fit into a message of NATS (1 MiB). */
export const maxTransactionBytes = 900 * 1024
