// The body of all errors, and the errors that every route may answer. They are added to the schema
// of each route, so that the OpenAPI document lists them once.

import type { RouteOptions } from 'fastify'
import { type Static, Type } from 'typebox'
import { isRead } from './readMethod.ts'

export const errorBody = Type.Object(
  {
    error_code: Type.Integer({
      description:
        "Error number as in Confluent's REST API: the HTTP status, or the status and two digits. 40403 is an unknown topic or partition, 40002 a request that the cluster rejected.",
    }),
    message: Type.String({ description: 'What happened, and to what.' }),
    code: Type.String({
      description: "Stable name of the error, for scripts; Kafka's name if it has one.",
    }),
    action: Type.String({ description: 'What to do about it.' }),
    request_id: Type.String({
      description: 'Id of the request in the log; also in the header `x-request-id`.',
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
  /** Name of the response in the OpenAPI document. */
  readonly name: string
  readonly description: string
}

export const errorAnswers: Readonly<Record<number, ErrorAnswer>> = {
  400: { name: 'BadRequest', description: 'The request is malformed, or the cluster rejected it.' },
  403: {
    name: 'Forbidden',
    description: 'The request comes from a page of another site, or the cluster denied it.',
  },
  404: { name: 'NotFound', description: 'The resource does not exist.' },
  408: { name: 'RequestTimeout', description: 'The request took too long to arrive.' },
  409: {
    name: 'Conflict',
    description:
      'The current state does not allow the request, for example because the group has members.',
  },
  413: { name: 'TooLarge', description: 'The body, or a record in it, is too large.' },
  415: {
    name: 'UnsupportedMediaType',
    description: 'The route does not accept the content type of the body.',
  },
  429: {
    name: 'TooManyRequests',
    description: 'Too many requests; the header `retry-after` says when to retry.',
  },
  431: {
    name: 'HeadersTooLarge',
    description: 'Path, query and headers together are longer than 16 KiB.',
  },
  500: { name: 'InternalError', description: 'The server or the cluster failed.' },
  503: {
    name: 'Unavailable',
    description: 'The cluster cannot be reached, or cannot answer now.',
  },
  504: {
    name: 'Timeout',
    description: 'The cluster did not answer in time. A change may have been applied.',
  },
}

/** Returns the error schemas of a route, by status. */
export function errorSchemas(route: RouteOptions): Record<number, typeof errorBody> {
  const methods = Array.isArray(route.method) ? route.method : [route.method]
  const statuses = [400, 403, 404, 429, 431, 500, 503, 504]
  if (!methods.every(isRead)) statuses.push(408, 409, 413, 415)
  return Object.fromEntries(statuses.map((status) => [status, errorBody]))
}
