// The id of a request: in its response, its errors and its log lines, so that what a client saw can
// be found in the log. A client or a proxy may supply an id that is safe to log.

import type { Random } from '../../../protocol/runtime/random.ts'

const fit = /^[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,63}$/

/** Returns the id supplied by the request, or a new one. */
export function requestId(brought: string | string[] | undefined, random: Random): string {
  if (typeof brought === 'string' && fit.test(brought)) return brought
  return random.bytes(8).toString('hex')
}
