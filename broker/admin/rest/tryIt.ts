// The page at /api, to read and try the API in a browser: Swagger UI as packaged, without inline
// scripts and without resources from other hosts.

import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

/**
 * The content security policy. Scripts and styles are files of this server. Swagger UI uses `data:`
 * images, and style attributes on some elements, which `style-src-attr` permits without permitting
 * `<style>`.
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

/** Adds the page. Must be called in the scope of the OpenAPI document. */
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
      // Otherwise Swagger UI sends requests to validator.swagger.io.
      validatorUrl: null,
      tryItOutEnabled: true,
      displayRequestDuration: true,
    },
  })
}
