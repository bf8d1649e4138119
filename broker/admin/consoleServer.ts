// The lazily loaded part of the console: the page, its files, its event stream, and the admin REST
// API.

import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { guardedServer } from '../../protocol/operations/guardedServer.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { BuildInfo } from '../../protocol/telemetry/metrics/buildInfo.ts'
import type { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import type { EventSink, EventStream } from './eventStream.ts'
import { pageHtml, vendored } from './pageHtml.ts'
import { countRequests } from './requestMetrics.ts'
import type { AdminSources } from './rest/adminContext.ts'
import { restServerOptions, serveRest } from './rest/rest.ts'

export interface ConsoleServerParts {
  readonly logger: Logger
  readonly stream: EventStream
  readonly sources: AdminSources
  readonly build: BuildInfo
  readonly metrics?: Metrics | undefined
}

/** Creates a server that does not listen: its `routing` answers requests. */
export async function consoleServer({
  logger,
  stream,
  sources,
  build,
  metrics,
}: ConsoleServerParts): Promise<FastifyInstance> {
  const server = guardedServer({ logger, settings: restServerOptions })
  if (metrics) countRequests(server, metrics)
  const html = pageHtml()
  await server.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: policy(html.importMap) },
    // Plain HTTP on loopback: a browser that obeyed either header would ask for HTTPS and fail.
    strictTransportSecurity: false,
  })
  await serveFiles(server)
  server.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(html.text))
  server.get('/api/v1/events', (_request, reply) => {
    if (stream.isFull) {
      const message = 'too many open pages: close one and retry'
      return reply.code(503).send({ error: 'TOO_MANY_PAGES', message })
    }
    reply.hijack()
    serveEvents(reply.raw, stream)
  })
  await serveRest(server, sources, { version: build.version })
  await server.ready()
  return server
}

/** Serves the page's own files, and its libraries as packaged. */
async function serveFiles(server: FastifyInstance): Promise<void> {
  const here = dirname(fileURLToPath(import.meta.url))
  await server.register(fastifyStatic, { root: join(here, 'page'), prefix: '/page/' })
  for (const [name, directory] of Object.entries(vendored())) {
    const prefix = `/vendor/${name}/`
    await server.register(fastifyStatic, { root: directory, prefix, decorateReply: false })
  }
}

/**
 * The content security policy: nothing from other hosts, as consoles run without internet access,
 * and nothing that the page does not use. Complete: Helmet's defaults would add
 * `upgrade-insecure-requests`, with which Safari requests the page's own files over HTTPS, and
 * `font-src https:`.
 */
function policy(importMap: string): Record<string, string[]> {
  const hash = createHash('sha256').update(importMap).digest('base64')
  return {
    'default-src': ["'none'"],
    'script-src': ["'self'", `'sha256-${hash}'`],
    'style-src': ["'self'"],
    'img-src': ["'self'"],
    'connect-src': ["'self'"],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
  }
}

/** Connects a page to the stream until one side closes. */
function serveEvents(response: FastifyReply['raw'], stream: EventStream): void {
  const page: EventSink = {
    write: (text) => response.write(text),
    drop: () => response.destroy(),
  }
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
  })
  response.on('drain', () => stream.drained(page))
  response.on('close', () => stream.close(page))
  // A broken connection is closed next; an error without a listener would end the process.
  response.on('error', () => {})
  stream.open(page)
}
