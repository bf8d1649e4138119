// The error table of coordination. An expected outcome of a transaction (a node that exists, a
// version that does not match) is a TransactionError as well: callers of single operations handle
// these by code, as users of ZooKeeper do.

import { CodedError } from '../runtime/codedError.ts'

/** Why a transaction had no effect, with ZooKeeper's words. */
export type TransactionErrorCode =
  /** `create`: the node exists. */
  | 'NODE_EXISTS'
  /** The node does not exist; `create`: its parent does not exist. */
  | 'NO_NODE'
  /** `set`, `delete`, `check`: the node has another version. */
  | 'BAD_VERSION'
  /** `delete`: the node has children. */
  | 'NOT_EMPTY'
  /** `create`: the parent is ephemeral. */
  | 'NO_CHILDREN_FOR_EPHEMERALS'
  /** The path, the data or the number of operations is not allowed. */
  | 'BAD_ARGUMENTS'
  /** The session of the transaction has expired or was closed. */
  | 'SESSION_EXPIRED'

/** Why coordination does not work at all, for now or until somebody acts. */
export type CoordinationErrorCode =
  /** The log cannot be reached or written: the outcome is unknown; retry. */
  | 'COORDINATION_UNAVAILABLE'
  /** The log forked, lost entries, or was created anew: nothing may change until it is repaired. */
  | 'COORDINATION_DAMAGED'
  /** The server, or its configuration, is refused; the message says what to set. */
  | 'COORDINATION_REFUSED'
  /** Entries of a later release. */
  | 'COORDINATION_UNSUPPORTED'
  /** Too many proposals wait. */
  | 'COORDINATION_BUSY'
  /** This member is closed. */
  | 'COORDINATION_CLOSED'

export class CoordinationError extends CodedError<CoordinationErrorCode> {}

/** A transaction was refused as a whole; `operation` is the index of the operation at fault. */
export class TransactionError extends CodedError<TransactionErrorCode> {
  readonly operation: number

  constructor(code: TransactionErrorCode, message: string, operation: number) {
    super(code, message)
    this.operation = operation
  }
}
