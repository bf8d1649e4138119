// Keeps pages of other sites away: a page of any site can make a browser on this machine send requests here.
// No answer has CORS headers, so no such page reads anything; this check keeps it from changing anything, with
// forms and other simple requests, and from making the server work. Programs that are no browser send
// neither header.

import type { FastifyRequest } from 'fastify'
import { isOwnOrigin } from '../../../protocol/runtime/loopback.ts'
import { RestError } from './restError.ts'

/** Throws ORIGIN_REFUSED for a request that a page of another site makes a browser send. */
export function refuseForeignPages({ headers, method }: FastifyRequest): void {
  const isOwn = isOwnOrigin(headers.origin, headers.host) && !isForeignFetch(headers, method)
  if (isOwn) return
  throw new RestError(
    403,
    'ORIGIN_REFUSED',
    `a page of ${shown(headers.origin)} must not use this API`,
    'use the page of this server at /api, or a program that is no browser',
  )
}

/** A link that somebody follows to this server is no request of the page that it is on. */
function isForeignFetch(headers: FastifyRequest['headers'], method: string): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return headers['sec-fetch-mode'] !== 'navigate' || method !== 'GET'
}

function shown(origin: string | undefined): string {
  return origin === undefined ? 'another site' : origin.slice(0, 100)
}
