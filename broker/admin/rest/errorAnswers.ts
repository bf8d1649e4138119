// The errors that every route may answer, beside what it says of itself: added to each route's schema, so that
// the OpenAPI document names them all, once. And the body that all errors have.

import type { RouteOptions } from 'fastify'
import { type Static, Type } from 'typebox'
import { isRead } from './requestLog.ts'

export const errorBody = Type.Object(
  {
    error_code: Type.Integer({
      description:
        "As Confluent's REST API numbers errors: the HTTP status, or the status and two digits: 40403 is an unknown topic or partition, 40002 a request that the cluster does not accept.",
    }),
    message: Type.String({ description: 'What happened, to what.' }),
    code: Type.String({
      description: "Stable name of the error, for scripts: Kafka's own name where there is one.",
    }),
    action: Type.String({ description: 'What to do about it.' }),
    request_id: Type.String({
      description: 'Names the request in the log; also in the header `x-request-id`.',
    }),
  },
  {
    description: 'An error: what happened, and what to do about it.',
    examples: [
      {
        error_code: 40403,
        message: 'UNKNOWN_TOPIC_OR_PARTITION (3): orders',
        code: 'UNKNOWN_TOPIC_OR_PARTITION',
        action: 'check the name: GET /api/v1/topics lists the topics that exist',
        request_id: '5f3a0c1e9b7d2a48',
      },
    ],
  },
)

export type ErrorBody = Static<typeof errorBody>

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
