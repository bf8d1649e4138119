// The page at /api, to read and try the API in a browser: Swagger UI as it comes in its package, without
// scripts in the page and without anything from other hosts.

import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

/**
 * Scripts and styles are files of this server. Swagger UI draws its arrows from `data:` addresses, and gives
 * some elements a style of their own, which `style-src-attr` alone allows: no `<style>`, no script.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** To be added to the same scope as the OpenAPI document. */
export async function serveTryIt(server: FastifyInstance): Promise<void> {
  await server.register(swaggerUi, {
    routePrefix: '/api',
    staticCSP: policy,
    theme: { title: 'Millrace admin REST API' },
    uiConfig: {
      url: '/openapi.json',
      layout: 'BaseLayout',
      deepLinking: true,
      docExpansion: 'list',
      // Asks validator.swagger.io otherwise.
      validatorUrl: null,
      tryItOutEnabled: true,
      displayRequestDuration: true,
    },
  })
}
