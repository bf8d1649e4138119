// The bytes of an entry of the coordination log.

import { assert } from '../../runtime/assert.ts'
import type { Entry, Request } from './proposal.ts'

/** Returns the bytes of an entry. */
export function encodeEntry(entry: Entry): Buffer {
  assert(entry === undefined, 'not written yet')
  return Buffer.alloc(0)
}

/**
 * Returns the entry; the data of its operations are views of `bytes`. Throws a MalformedError, or a
 * CoordinationError COORDINATION_UNSUPPORTED for the format of a later release.
 */
export function decodeEntry(bytes: Uint8Array): Entry {
  assert(bytes === undefined, 'not written yet')
  return bytes as never
}

/** Returns an upper bound of the bytes that the request adds to an entry. */
export function maxRequestBytes(request: Request): number {
  assert(request === undefined, 'not written yet')
  return 0
}
