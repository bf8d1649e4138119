// Lists in pages. A page's token names the last entry of the page before and not its number, so that no entry
// is shown twice or left out when others come and go meanwhile. Tokens are opaque to clients, and belong to
// the list that gave them.

import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { RestError } from './restError.ts'

/** Entries of a page unless the request says how many. */
export const usualPageSize = 1_000
export const largestPageSize = 10_000
const longestToken = 4_096

/** For the `querystring` of a route that answers a list. */
export const pageQuery = {
  page_size: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: largestPageSize,
      default: usualPageSize,
      description: 'Most entries of one page.',
    }),
  ),
  page_token: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: longestToken,
      description: 'Where the page begins: as `metadata.next` of the page before says.',
    }),
  ),
}

/** `metadata` of a list, as in Confluent's API. */
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
  /** For the query of the next page; undefined at the end. */
  readonly nextToken: string | undefined
}

/**
 * The entries of one page, in the order of their keys, which must be unique. `list` names what is listed: a
 * token of another list fails as INVALID_PAGE_TOKEN.
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

/** `metadata` of the answer to `request`. */
export function pageMetadata(request: FastifyRequest, nextToken: string | undefined) {
  const self = new URL(request.url, baseUrl(request))
  if (nextToken === undefined) return { self: self.href, next: null }
  const next = new URL(self)
  next.searchParams.set('page_token', nextToken)
  return { self: self.href, next: next.href }
}

/** Where the client found this server: `http://127.0.0.1:8080`. Links in answers begin with it. */
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
    'page_token is not one that this list has given',
    'take the address of the next page from metadata.next, or begin again without page_token',
  )
}

function parsed(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch {
    return undefined
  }
}

/** By code units, as nobody's language: the order must be the same on every server. Numbers come first. */
function compare(one: string | number, other: string | number): number {
  if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1
  if (one === other) return 0
  return one < other ? -1 : 1
}
