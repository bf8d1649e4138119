// A route of the admin REST API: one file each. A schema says all that the route takes and answers; the
// OpenAPI document is made of these schemas, and no answer leaves the server that is not as its schema says.

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
