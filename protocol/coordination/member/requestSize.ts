// The size of requests in an entry, and what is refused before it is proposed.

import {
  maxOperations,
  maxPathBytes,
  maxTransactionBytes,
  type Operation,
} from '../tree/operation.ts'
import type { Request } from '../tree/proposal.ts'

/** More than the fields of any operation or request without path and data. */
const overheadBytes = 64

/** Returns an upper bound of the bytes of the request in an entry. */
export function sizeOf(request: Request): number {
  if (request.type !== 'transaction') return 2 * maxPathBytes + overheadBytes
  return operationsBytes(request.operations)
}

/** Why the transaction cannot be proposed; undefined if it can. */
export function sizeProblem(operations: readonly Operation[]): string | undefined {
  if (operations.length > maxOperations) {
    return `${operations.length} operations, but a transaction has at most ${maxOperations}: split it`
  }
  const bytes = operationsBytes(operations)
  if (bytes <= maxTransactionBytes) return undefined
  return `${bytes} bytes, but a transaction has at most ${maxTransactionBytes}: split it`
}

function operationsBytes(operations: readonly Operation[]): number {
  let bytes = overheadBytes
  for (const operation of operations) {
    const dataBytes = 'data' in operation ? operation.data.length : 0
    // UTF-8 has at most three bytes for each UTF-16 code unit.
    bytes += overheadBytes + 3 * operation.path.length + dataBytes
  }
  return bytes
}
