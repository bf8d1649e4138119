// A route of the admin REST API; each has its own file. Its schemas describe the whole request and
// response: the OpenAPI document is generated from them, and a response that does not match its
// schema is never sent.

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { AdminContext } from './adminContext.ts'

export type AdminServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Adds one route to the server. */
export type AdminRoute = (server: AdminServer, context: AdminContext) => void
