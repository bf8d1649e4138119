// Serializes responses as JSON and validates them against their schemas. Clients are generated from
// the OpenAPI document: a missing field, or one of another type, would break them far from its
// cause. A response that does not match its schema is a bug of the server and is answered with 500.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'

/** A response contradicts the OpenAPI document: a bug of the server, and no operational error. */
export class AnswerMismatch extends Error {}

interface AnswerOfRoute {
  readonly schema: TSchema
  readonly url?: string
  readonly method?: string
  readonly httpStatus?: string
  readonly contentType?: string
}

/**
 * Fastify's serializer compiler. Compiles lazily: there are hundreds of schemas, and most are never
 * used.
 */
export function checkedSerializer({ schema, url, method, httpStatus }: AnswerOfRoute) {
  let compiled: Validator | undefined
  return (answer: unknown): string => {
    compiled ??= Compile(schema)
    if (compiled.Check(answer)) return JSON.stringify(answer)
    const [error] = compiled.Errors(answer)
    throw new AnswerMismatch(
      `${method} ${url} ${httpStatus}: ${error?.instancePath || 'the answer'} ${error?.message}`,
    )
  }
}

/** Throws if a route answers with a status that it does not document. */
export function requireSchema(
  { routeOptions }: FastifyRequest,
  { statusCode }: FastifyReply,
): void {
  const { hide, response } = (routeOptions.schema ?? {}) as { hide?: boolean; response?: object }
  if (hide === true || statusCode >= 400) return
  if (response !== undefined && statusCode in response) return
  throw new AnswerMismatch(`${routeOptions.url} does not document status ${statusCode}`)
}

/**
 * Throws on an empty response: if a handler returns undefined, Fastify sends it without checking
 * the schema.
 */
export function requireAnswer(
  { method, routeOptions }: FastifyRequest,
  { statusCode }: FastifyReply,
  answer: unknown,
): void {
  if (method === 'HEAD' || statusCode === 204 || statusCode === 304) return
  if (answer !== undefined && answer !== null) return
  throw new AnswerMismatch(`${routeOptions.url} answered ${statusCode} without a body`)
}
