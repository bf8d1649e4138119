// Refuses requests from pages of other sites: a page of any site can make a browser on this machine
// send requests here. Responses have no CORS headers, so such a page can read nothing; this check
// prevents it from changing anything with forms and other simple requests, and from causing load.
// Programs other than browsers send neither header and pass.

import type { FastifyRequest } from 'fastify'
import { isOwnOrigin } from '../../../protocol/runtime/network/loopback.ts'
import { RestError } from './restError.ts'

/** Throws ORIGIN_REFUSED for a request that a page of another site made the browser send. */
export function refuseForeignPages({ headers, method }: FastifyRequest): void {
  const isOwn = isOwnOrigin(headers.origin, headers.host) && !isForeignFetch(headers, method)
  if (isOwn) return
  throw new RestError(
    403,
    'ORIGIN_REFUSED',
    `requests from pages of ${shown(headers.origin)} are refused`,
    "use this server's page at /api, or a program other than a browser",
  )
}

/** A navigation by a link is allowed: it is not a request of the page that contains the link. */
function isForeignFetch(headers: FastifyRequest['headers'], method: string): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return headers['sec-fetch-mode'] !== 'navigate' || method !== 'GET'
}

function shown(origin: string | undefined): string {
  return origin === undefined ? 'another site' : origin.slice(0, 100)
}
