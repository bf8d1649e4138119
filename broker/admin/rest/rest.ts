// The admin REST API as a part of a fastify server: Confluent's v3 paths, and our own below /api/v1.

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { AdminContext } from './adminContext.ts'
import type { AdminRoute } from './adminRoute.ts'
import { RestError } from './restError.ts'
import { v1Routes } from './v1/v1Routes.ts'
import { v3Routes } from './v3/v3Routes.ts'

export const restRoutes: readonly AdminRoute[] = [...v3Routes, ...v1Routes]

/** Adds every route, in a scope of its own: errors elsewhere keep their shape. */
export async function serveRest(server: FastifyInstance, context: AdminContext): Promise<void> {
  await server.register((scope, _options, done) => {
    scope.setErrorHandler((error: Error, request, reply) => {
      const known =
        error instanceof RestError
          ? error
          : new RestError(500, 'INTERNAL', error.message, 'look for the request id in the log')
      return reply.code(known.statusCode).send({
        error_code: known.errorCode,
        message: known.message,
        code: known.code,
        action: known.action,
        request_id: request.id,
      })
    })
    const typed = scope.withTypeProvider<TypeBoxTypeProvider>()
    for (const route of restRoutes) route(typed, context)
    done()
  })
}
