// Paging of lists. A page token names the last entry of the previous page, not its index, so that
// no entry is repeated or skipped when entries appear or disappear between requests. Tokens are
// opaque, and valid only for the list that issued them.

import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { RestError } from './restError.ts'

/** Entries per page if the request does not say. */
export const usualPageSize = 1_000
export const largestPageSize = 10_000
const longestToken = 4_096

/** For the `querystring` of a list route. */
export const pageQuery = {
  page_size: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: largestPageSize,
      default: usualPageSize,
      description: 'Maximum number of entries in a page.',
    }),
  ),
  page_token: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: longestToken,
      description: 'Start of the page, from `metadata.next` of the previous page.',
    }),
  ),
}

/** The `metadata` of a list, as in Confluent's API. */
export const listMetadata = Type.Object({
  self: Type.String({ description: 'Address of this page.' }),
  next: Type.Union([Type.String(), Type.Null()], {
    description: 'Address of the next page; null at the end.',
  }),
})

export interface PageQuery {
  readonly page_size?: number
  readonly page_token?: string
}

export interface Page<Entry> {
  readonly entries: readonly Entry[]
  /** Token for the next page; undefined at the end. */
  readonly nextToken: string | undefined
}

/**
 * Returns one page of entries in the order of their keys, which must be unique. `list` names the
 * list: a token of another list fails with INVALID_PAGE_TOKEN.
 */
export function pageOf<Entry>(
  list: string,
  entries: Iterable<Entry>,
  keyOf: (entry: Entry) => string | number,
  { page_size: size = usualPageSize, page_token: token }: PageQuery,
): Page<Entry> {
  const after = token === undefined ? undefined : keyOfToken(list, token)
  const rest = [...entries]
    .filter((entry) => after === undefined || compare(keyOf(entry), after) > 0)
    .sort((one, other) => compare(keyOf(one), keyOf(other)))
  const page = rest.slice(0, size)
  const isLast = page.length === rest.length
  return {
    entries: page,
    nextToken: isLast ? undefined : tokenOf(list, keyOf(page.at(-1)!)),
  }
}

/** The `metadata` of the response to `request`. */
export function pageMetadata(request: FastifyRequest, nextToken: string | undefined) {
  const self = new URL(request.url, baseUrl(request))
  if (nextToken === undefined) return { self: self.href, next: null }
  const next = new URL(self)
  next.searchParams.set('page_token', nextToken)
  return { self: self.href, next: next.href }
}

/**
 * Base URL by which the client reached this server, such as `http://127.0.0.1:8080`. Links start
 * with it.
 */
export function baseUrl(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`
}

function tokenOf(list: string, key: string | number): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url')
}

function keyOfToken(list: string, token: string): string | number {
  const parts = parsed(token)
  if (Array.isArray(parts) && parts.length === 2 && parts[0] === list) {
    const key: unknown = parts[1]
    if (typeof key === 'string' || (typeof key === 'number' && Number.isFinite(key))) return key
  }
  throw new RestError(
    40002,
    'INVALID_PAGE_TOKEN',
    'page_token was not issued for this list',
    'use the address in metadata.next, or restart without page_token',
  )
}

function parsed(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch {
    return undefined
  }
}

/**
 * Compares by code units, not by locale: the order must be the same on every server. Numbers come
 * first.
 */
function compare(one: string | number, other: string | number): number {
  if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1
  if (one === other) return 0
  return one < other ? -1 : 1
}
