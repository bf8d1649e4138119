// Requests whose outcome a recipe must know. A request that was answered as unavailable may have
// had an effect, or have it later; it is made again until the answer is certain.
//
// An earlier request of a member has had its effect, or never will, once a later one was answered:
// the entries of a member are appended one after the other (member/proposer.ts). So what the tree
// shows after the answer is final for all attempts before it.

import { CodedError } from '../../runtime/codedError.ts'
import { type Clock, sleep } from '../../runtime/time/clock.ts'
import type { Coordination } from '../coordination.ts'
import {
  CoordinationError,
  TransactionError,
  type TransactionErrorCode,
} from '../coordinationError.ts'
import { parentPath, rootPath } from '../tree/paths.ts'

const retryMs = 500

/**
 * Repeats the request while the log cannot be reached, is damaged, or has too much to do. Rejects
 * with any other error.
 */
export async function retryUntilKnown<T>(clock: Clock, request: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await request()
    } catch (error) {
      if (!isPassing(error)) throw error
      await sleep(clock, retryMs)
    }
  }
}

/** Creates the persistent node and those above it, as far as they do not exist. */
export async function ensurePath(coordination: Coordination, path: string): Promise<void> {
  if (path === rootPath || coordination.tree.exists(path) !== undefined) return
  await ensurePath(coordination, parentPath(path))
  try {
    await coordination.transact([{ type: 'create', path, data: Buffer.alloc(0) }])
  } catch (error) {
    if (!isRefusal(error, 'NODE_EXISTS')) throw error
  }
}

/** Creates a node in `parent`, which is created if it does not exist or was deleted meanwhile. */
export async function createInside(
  coordination: Coordination,
  parent: string,
  create: () => Promise<unknown>,
): Promise<void> {
  for (;;) {
    try {
      await ensurePath(coordination, parent)
      await create()
      return
    } catch (error) {
      if (!isRefusal(error, 'NO_NODE')) throw error
    }
  }
}

export function isRefusal(error: unknown, code: TransactionErrorCode): boolean {
  return error instanceof TransactionError && error.code === code
}

/**
 * Whether the member or the session cannot do anything any more. Ephemeral nodes of the session are
 * deleted, or will be when it expires.
 */
export function isOver(error: unknown): boolean {
  if (isRefusal(error, 'SESSION_EXPIRED')) return true
  return error instanceof CoordinationError && !isPassing(error)
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof CodedError)) return false
  const { code } = error
  const isUnknown = code === 'COORDINATION_UNAVAILABLE' || code === 'COORDINATION_DAMAGED'
  return isUnknown || code === 'COORDINATION_BUSY'
}
