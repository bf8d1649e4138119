// The page at /api, to read and try the API in a browser: Swagger UI as it comes in its package, without inline
// scripts or styles and without anything from other hosts.

import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

/** To be added to the same scope as the OpenAPI document. */
export async function serveTryIt(server: FastifyInstance): Promise<void> {
  await server.register(swaggerUi, {
    routePrefix: '/api',
    uiConfig: {
      url: '/openapi.json',
      deepLinking: true,
      docExpansion: 'none',
      // Asks validator.swagger.io otherwise.
      validatorUrl: null,
      tryItOutEnabled: true,
      displayRequestDuration: true,
    },
  })
}
