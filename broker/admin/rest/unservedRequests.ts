// Answers requests that match no route: an unsupported method of a path (405, with the supported
// ones), or an unknown path (404, with the nearest one).

import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { suggestion } from '../../../protocol/configuration/nearestName.ts'
import { restErrorOf } from './failures.ts'
import { RestError } from './restError.ts'

const methods: readonly HTTPMethods[] = [
  ...(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'] as const),
]

/** Records the routes that are added to a server, to answer all other requests. */
export class ServedPaths {
  readonly #methods = new Map<string, Set<string>>()

  constructor(server: FastifyInstance) {
    server.addHook('onRoute', ({ url, method }) => {
      const known = this.#methods.get(url) ?? new Set()
      for (const each of Array.isArray(method) ? method : [method]) known.add(each)
      this.#methods.set(url, known)
    })
  }

  /** Adds a path that another plugin serves. */
  know(url: string, methods: readonly string[]): void {
    this.#methods.set(url, new Set(methods))
  }

  /**
   * Adds routes for all unserved requests below the paths of the API. Must be called after all
   * routes are added.
   */
  refuseTheRest(server: FastifyInstance): void {
    const served = [...this.#methods]
    for (const [url, known] of served) refuseOtherMethods(server, url, known)
    const paths = served.map(([url]) => url.replaceAll('::', ':'))
    for (const url of ['/v3', '/v3/*', '/api/*']) {
      server.route({
        url,
        method: [...methods],
        schema: { hide: true },
        handler: (request) => {
          throw unknownPath(pathOf(request), paths)
        },
      })
    }
  }
}

function refuseOtherMethods(
  server: FastifyInstance,
  url: string,
  known: ReadonlySet<string>,
): void {
  const allow = [...new Set([...known, 'OPTIONS'])].sort().join(', ')
  const others = methods.filter((method) => !known.has(method))
  if (others.length === 0) return
  server.route({
    url,
    method: others,
    schema: { hide: true },
    // The unsupported method is reported first, whatever else is wrong with the request.
    errorHandler: (error, request, reply) => {
      const refusal = restErrorOf(error)
      const isOfClient = refusal.statusCode === 403 || refusal.statusCode === 429
      request.failure = isOfClient ? refusal : notAllowed(request, allow)
      return sendError(reply.header('allow', allow), request.failure, request.id)
    },
    handler: (request, reply) => {
      reply.header('allow', allow)
      if (request.method === 'OPTIONS') return reply.code(204).send()
      throw notAllowed(request, allow)
    },
  })
}

function notAllowed(request: FastifyRequest, allow: string): RestError {
  return new RestError(
    405,
    'METHOD_NOT_ALLOWED',
    `${request.method} is not supported by ${pathOf(request)}`,
    `use ${allow}`,
  )
}

function unknownPath(path: string, known: readonly string[]): RestError {
  return new RestError(
    404,
    'UNKNOWN_PATH',
    `${path} does not exist${suggestion(path, known)}`,
    'the OpenAPI document at /openapi.json lists the paths of this API; the page at /api shows them',
  )
}

/** Sends an error as JSON, outside of the scope of the routes. */
export function sendError(reply: FastifyReply, error: RestError, requestId: string): FastifyReply {
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', error.retryAfterSeconds)
  return reply.code(error.statusCode).send(error.body(requestId))
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0]!.slice(0, 200)
}
