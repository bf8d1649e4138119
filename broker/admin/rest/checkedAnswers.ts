// Writes answers as JSON, and only such as their schemas allow: clients are made from the OpenAPI document,
// and a field that is missing, or of another type, breaks them far from its cause. An answer that its schema
// does not allow is a fault of the server, and answered as one.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'

export class AnswerMismatch extends Error {
  readonly code = 'ANSWER_MISMATCH'
}

interface AnswerOfRoute {
  readonly schema: TSchema
  readonly url?: string
  readonly method?: string
  readonly httpStatus?: string
  readonly contentType?: string
}

/** Fastify's serializer compiler. There are hundreds of schemas, of which a server may never need one. */
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

/** A route answers with no status that it does not document. */
export function requireSchema(
  { routeOptions }: FastifyRequest,
  { statusCode }: FastifyReply,
): void {
  const { hide, response } = (routeOptions.schema ?? {}) as { hide?: boolean; response?: object }
  if (hide === true || statusCode >= 400) return
  if (response !== undefined && statusCode in response) return
  throw new AnswerMismatch(`${routeOptions.url} documents no answer with status ${statusCode}`)
}

/** Fastify sends nothing, without looking at the schema, when a handler returns nothing. */
export function requireAnswer(
  { method, routeOptions }: FastifyRequest,
  { statusCode }: FastifyReply,
  answer: unknown,
): void {
  if (method === 'HEAD' || statusCode === 204 || statusCode === 304) return
  if (answer !== undefined && answer !== null) return
  throw new AnswerMismatch(`${routeOptions.url} answered ${statusCode} with nothing`)
}
