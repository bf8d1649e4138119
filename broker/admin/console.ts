// The console: one page on this machine's loopback address, fed by one stream of events. It reads
// the status topic as any client would and the broker's counters, and changes nothing anywhere.

import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import { type FastifyInstance, fastify } from 'fastify'
import { Cluster } from '../../protocol/client/cluster.ts'
import type { Timer } from '../../protocol/runtime/clock.ts'
import type { Address } from '../../protocol/runtime/network.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { TopicOverview } from '../server/overview.ts'
import { Board } from './board.ts'
import { ConsoleError } from './errors.ts'
import { type EventSink, EventStream } from './eventStream.ts'
import { isLoopback, isLoopbackHostHeader } from './loopback.ts'
import { pageHtml, vendored } from './pageHtml.ts'
import { followStatus } from './statusFollower.ts'

export interface ConsoleOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'network'>
  readonly logger: Logger
  /** Loopback only; port 0 takes a free one. */
  readonly address: Address
  /** Brokers to ask first for the status topic. */
  readonly bootstrap: readonly Address[]
  /** The broker's counters of its topics, read once a second. */
  readonly topics: () => readonly TopicOverview[]
  /** The text of `GET /metrics`, in Prometheus' format. */
  readonly metrics?: () => Promise<string>
}

export interface Console {
  /** Where the page is, for people: `http://127.0.0.1:8080/`. */
  readonly url: string
  readonly board: Board
  close(): Promise<void>
}

const tickMs = 1_000

/** Starts serving. Fails with ConsoleError NOT_LOOPBACK or PORT_IN_USE. */
export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const { address, runtime, logger, bootstrap } = options
  const { clock } = runtime
  if (!isLoopback(address.host)) throw notLoopback(address.host)

  const board = new Board()
  const stream = new EventStream(board)
  const server = await newServer(options, board, stream)
  await listen(server, address)

  const cluster = new Cluster(runtime, { bootstrap, clientId: 'millrace-console' })
  const follower = followStatus(cluster, clock, logger, (status) => {
    board.hear(status, clock.nowMs())
  })
  let timer: Timer
  const tick = () => {
    timer = clock.setTimer(tickMs, tick)
    board.count(options.topics(), clock.nowMs())
    stream.tick(board.tick(clock.nowMs()))
  }
  tick()

  return {
    url: `http://${urlHost(address.host)}:${boundPort(server)}/`,
    board,
    async close() {
      timer.cancel()
      await Promise.all([follower.stop(), cluster.close(), server.close()])
    },
  }
}

async function newServer(options: ConsoleOptions, board: Board, stream: EventStream) {
  const { runtime, metrics } = options
  const { clock } = runtime
  // Open pages would otherwise hold the close until they go away.
  const server = fastify({ forceCloseConnections: true })
  const html = pageHtml()
  await server.register(helmet, { contentSecurityPolicy: { directives: policy(html.importMap) } })
  server.addHook('onRequest', async (request, reply) => {
    if (!isLoopbackHostHeader(request.headers.host)) {
      await reply.code(403).send({ error: 'The console is served to this machine only.' })
    }
  })
  await serveFiles(server)

  server.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(html.text))
  server.get('/api/v1/status', () => board.picture(clock.nowMs()))
  server.get('/api/v1/events', (_request, reply) => {
    const response = reply.raw
    const page: EventSink = { write: (text) => response.write(text) }
    if (stream.isFull) {
      return reply.code(503).send({ error: 'Too many pages are open: close one and try again.' })
    }
    reply.hijack()
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
    })
    response.on('drain', () => stream.drained(page, clock.nowMs()))
    response.on('close', () => stream.close(page))
    stream.open(page, clock.nowMs())
  })
  if (metrics) {
    server.get('/metrics', async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()),
    )
  }
  return server
}

/** The page's own files, and the libraries it uses as they come in their packages. */
async function serveFiles(server: FastifyInstance): Promise<void> {
  const here = dirname(fileURLToPath(import.meta.url))
  await server.register(fastifyStatic, { root: join(here, 'page'), prefix: '/page/' })
  for (const [name, directory] of Object.entries(vendored())) {
    const prefix = `/vendor/${name}/`
    await server.register(fastifyStatic, { root: directory, prefix, decorateReply: false })
  }
}

/** Nothing from elsewhere: consoles run where there is no way out. */
function policy(importMap: string): Record<string, string[]> {
  const hash = createHash('sha256').update(importMap).digest('base64')
  return {
    'default-src': ["'self'"],
    'script-src': ["'self'", `'sha256-${hash}'`],
    'style-src': ["'self'", "'unsafe-inline'"],
    'img-src': ["'self'", 'data:'],
    'upgrade-insecure-requests': [],
  }
}

async function listen(server: FastifyInstance, { host, port }: Address): Promise<void> {
  try {
    await server.listen({ host, port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new ConsoleError(
      'PORT_IN_USE',
      `port ${port} is in use by another program: stop that one, or choose another with --console-port`,
      error,
    )
  }
}

function notLoopback(host: string): ConsoleError {
  return new ConsoleError(
    'NOT_LOOPBACK',
    `the console has no login yet and is served on this machine only: use 127.0.0.1 in place of ${host}`,
  )
}

function boundPort(server: FastifyInstance): number {
  const address = server.server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
