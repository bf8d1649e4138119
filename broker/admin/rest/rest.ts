// The admin REST API as a plugin of a fastify server: Confluent's v3 paths and our own below
// /api/v1, in their own scope, so that other routes of the server are not affected.
// Contract: strict schemas in both directions, one error body, request ids, limits. Must never
// serve pages of other sites, nor use the broker other than through the client.

import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { TSchema } from 'typebox'
import { MemoryBudget } from '../../server/memory/memoryBudget.ts'
import type { AdminSources } from './adminContext.ts'
import type { AdminRoute, AdminServer } from './adminRoute.ts'
import { checkedSerializer, requireAnswer, requireSchema } from './checkedAnswers.ts'
import { errorSchemas } from './errorAnswers.ts'
import { restErrorOf } from './failures.ts'
import { refuseForeignPages } from './foreignPages.ts'
import { refuseMalformed } from './malformedRequests.ts'
import { describeRoutes } from './openApi.ts'
import { otherPaths } from './otherPaths.ts'
import { Places } from './places.ts'
import { requestId } from './requestId.ts'
import { limitRequests, type RequestLimits, usualLimits } from './requestLimits.ts'
import { logAnswer } from './requestLog.ts'
import { closed, type JsonSchema, strictValidator } from './requestValidation.ts'
import { RestError } from './restError.ts'
import { serveTryIt } from './tryIt.ts'
import { ServedPaths, sendError } from './unservedRequests.ts'
import { v1Routes } from './v1/v1Routes.ts'
import { v3Routes } from './v3/v3Routes.ts'

export const restRoutes: readonly AdminRoute[] = [...v3Routes, ...v1Routes]

export interface RestOptions {
  /** Version in the OpenAPI document: that of the package. */
  readonly version: string
  readonly limits?: Partial<RequestLimits>
  /** Timeout of a request, which is then answered with 504. */
  readonly timeoutMs?: number
  readonly routes?: readonly AdminRoute[]
}

const usualTimeoutMs = 30_000
/**
 * Enough for the offsets of a group with thousands of partitions. Record bodies have their own
 * limits.
 */
const bodyLimitBytes = 1024 * 1024

/** Options for `fastify()` that can only be set for a server as a whole. */
export const restServerOptions = {
  routerOptions: {
    ignoreTrailingSlash: true,
    // Group names have no length limit; this one bounds the work per request.
    maxParamLength: 4_096,
  },
  clientErrorHandler: refuseMalformed,
  frameworkErrors(error: Error, request: FastifyRequest, reply: FastifyReply) {
    return sendError(reply, restErrorOf(error), request.id)
  },
}

/** Adds every route. */
export async function serveRest(
  server: FastifyInstance,
  sources: AdminSources,
  options: RestOptions,
): Promise<void> {
  const limits = { ...usualLimits, ...options.limits }
  const context = {
    ...sources,
    scans: new Places(limits.scansAtOnce, 'scans'),
    tails: new Places(limits.tailsAtOnce, 'tails'),
    recordMemory: new MemoryBudget(limits.recordBytes),
    streamIdleMs: limits.streamIdleMs,
  }
  await server.register(async (plain) => {
    const scope = plain as unknown as AdminServer
    const paths = new ServedPaths(plain)
    for (const [path, methods] of Object.entries(otherPaths)) {
      const names = Object.keys(methods).map((method) => method.toUpperCase())
      paths.know(path, [...names, 'HEAD'])
    }
    scope.addHook('onRoute', (route) => completeRoute(route, options))
    await describeRoutes(plain, options.version)
    await limitRequests(scope, limits)
    answerInOneShape(scope, context)
    readBodies(scope)
    scope.get('/openapi.json', { schema: { hide: true } }, () => plain.swagger())
    for (const route of options.routes ?? restRoutes) route(scope, context)
    // By then, routes with their own scope are added.
    await plain.after()
    paths.refuseTheRest(plain)
    await serveTryIt(plain)
  })
}

/** Adds what every route has implicitly. */
function completeRoute(route: RouteOptions, { timeoutMs = usualTimeoutMs }: RestOptions): void {
  route.bodyLimit ??= bodyLimitBytes
  if (route.config?.endless !== true) route.handlerTimeout ??= timeoutMs
  const { hide, querystring, params, body, response, ...rest } = (route.schema ?? {}) as Record<
    string,
    unknown
  > & { readonly hide?: boolean; readonly response?: object }
  if (hide === true) return
  route.schema = {
    ...rest,
    querystring: closed((querystring as JsonSchema | undefined) ?? { properties: {} }),
    ...(params === undefined ? {} : { params }),
    ...(body === undefined ? {} : { body: closed(body as JsonSchema) }),
    response: { ...errorSchemas(route), ...closedAll(response ?? {}) },
  }
}

/**
 * Closes response schemas by status; a response with several content types has one schema for each.
 */
function closedAll(response: object): object {
  return mapValues(response, (answer) => {
    if (!('content' in answer)) return closed(answer)
    const content = mapValues(answer.content as object, ({ schema }) => ({
      schema: closed(schema as JsonSchema),
    }))
    return { ...answer, content }
  })
}

function mapValues(object: object, change: (value: Record<string, unknown>) => object): object {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]))
}

function answerInOneShape(scope: AdminServer, context: AdminSources): void {
  const { cluster, logger } = context
  scope.setGenReqId(({ headers }) => requestId(headers['x-request-id'], cluster.runtime.random))
  scope.setValidatorCompiler((part) => strictValidator({ ...part, schema: part.schema as TSchema }))
  scope.setSerializerCompiler((part) =>
    checkedSerializer({ ...part, schema: part.schema as unknown as TSchema }),
  )
  scope.decorateRequest('failure', undefined)
  scope.decorateRequest('changed', undefined)
  scope.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    refuseForeignPages(request)
  })
  scope.addHook('preValidation', async (request) => refuseUnexpectedBody(request))
  scope.addHook('preSerialization', async (request, reply) => requireSchema(request, reply))
  scope.addHook('onSend', async (request, reply, answer) => requireAnswer(request, reply, answer))
  scope.setErrorHandler((error: Error, request, reply) => {
    const failure = restErrorOf(error)
    request.failure = failure
    reply.removeHeader('content-type').header('x-request-id', request.id)
    return sendError(reply, failure, request.id)
  })
  scope.addHook('onResponse', async (request, reply) => logAnswer(logger, request, reply))
}

/**
 * Accepts JSON only: pages of other sites can send text/plain and forms without a preflight
 * request.
 */
function readBodies(scope: AdminServer): void {
  scope.removeAllContentTypeParsers()
  const parse = scope.getDefaultJsonParser('error', 'error')
  scope.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    (request, text: string, done) => {
      // Some clients set a content type without sending a body.
      if (text.length === 0) done(null, undefined)
      else parse(request, text, done)
    },
  )
}

function refuseUnexpectedBody({ body, method, routeOptions }: FastifyRequest): void {
  if (body === undefined || body === null || routeOptions.schema?.body !== undefined) return
  throw new RestError(
    40002,
    'UNEXPECTED_BODY',
    `${method} ${routeOptions.url} accepts no body`,
    'remove the body; parameters belong in the path and the query',
  )
}
