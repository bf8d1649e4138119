// The errors that every route may answer, beside what it says of itself: added to each route's schema, so that
// the OpenAPI document names them all, once.

import type { RouteOptions } from 'fastify'
import { isRead } from './requestLog.ts'
import { errorBody } from './restError.ts'

interface ErrorAnswer {
  /** Of the response in the OpenAPI document. */
  readonly name: string
  readonly description: string
}

export const errorAnswers: Readonly<Record<number, ErrorAnswer>> = {
  400: { name: 'BadRequest', description: 'The request is malformed, or the cluster refuses it.' },
  403: {
    name: 'Forbidden',
    description: 'The request comes from a page of another site, or the cluster does not allow it.',
  },
  404: { name: 'NotFound', description: 'What the path names does not exist.' },
  408: { name: 'RequestTimeout', description: 'The request took too long to arrive.' },
  409: {
    name: 'Conflict',
    description: 'The present state does not allow it, such as a group that has members.',
  },
  413: { name: 'TooLarge', description: 'The body, or a record in it, is too large.' },
  415: {
    name: 'UnsupportedMediaType',
    description: 'The body is not of a content type that the route takes.',
  },
  429: {
    name: 'TooManyRequests',
    description: 'Too many requests; the header `retry-after` says when to try again.',
  },
  431: {
    name: 'HeadersTooLarge',
    description: 'Path, query and headers together are longer than 16 KiB.',
  },
  500: { name: 'InternalError', description: 'The server or the cluster failed.' },
  503: {
    name: 'Unavailable',
    description: 'The cluster cannot be reached, or cannot answer at present.',
  },
  504: {
    name: 'Timeout',
    description: 'The cluster did not answer in time. A change may have happened.',
  },
}

/** The schemas of the errors of a route, by status. */
export function errorSchemas(route: RouteOptions): Record<number, typeof errorBody> {
  const methods = Array.isArray(route.method) ? route.method : [route.method]
  const statuses = [400, 403, 404, 429, 431, 500, 503, 504]
  if (!methods.every(isRead)) statuses.push(408, 409, 413, 415)
  return Object.fromEntries(statuses.map((status) => [status, errorBody]))
}
