// The console: one page on this machine's loopback address, fed by one stream of events. It reads
// the status topic as any client would and the broker's counters, and changes nothing anywhere.

import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster.ts'
import { guardedServer, listenOn } from '../../protocol/operations/guardedServer.ts'
import type { ProgramHealth } from '../../protocol/operations/health.ts'
import { type OperationsOptions, serveOperations } from '../../protocol/operations/operations.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import { isLoopback } from '../../protocol/runtime/loopback.ts'
import type { Address } from '../../protocol/runtime/network.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import { duration } from '../../protocol/telemetry/figures.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { Metrics } from '../../protocol/telemetry/metrics.ts'
import { followStatus, type StatusFollower } from '../../protocol/telemetry/statusFollower.ts'
import type { TopicOverview } from '../server/overview.ts'
import { Board } from './board/board.ts'
import { ConsoleError } from './errors.ts'
import { type EventSink, EventStream } from './eventStream.ts'
import { pageHtml, vendored } from './pageHtml.ts'
import { countRequests } from './requestMetrics.ts'
import type { AdminSources } from './rest/adminContext.ts'
import { ProgramStatuses } from './rest/programStatuses.ts'
import { restServerOptions, serveRest } from './rest/rest.ts'

export interface ConsoleOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'network'>
  readonly logger: Logger
  /** Loopback only; port 0 takes a free one. */
  readonly address: Address
  /** Option of the command line that gives the port, for messages; `--console-port` unless given. */
  readonly portOption?: string
  /** Brokers to ask first for the status topic. */
  readonly bootstrap: readonly Address[]
  /** The counters of the topics, read once a second; the same array while nothing newer is known. */
  readonly topics: () => readonly TopicOverview[]
  /** What `/metrics`, `/healthy` and the like answer. */
  readonly operations: OperationsOptions
  /** Where requests are counted. */
  readonly metrics?: Metrics | undefined
}

export interface Console {
  /** Where the page is, for people: `http://127.0.0.1:8080/`. */
  readonly url: string
  readonly board: Board
  /** Asks the broker no more, because it is going to close; what is known is still served. */
  leave(): Promise<void>
  close(): Promise<void>
}

const tickMs = 1_000
/** Topics are read this often while agents report, so that a picture's moment is close to theirs. */
const sampleMs = 250
/** The console is out of touch with the broker after so long; a restart takes less. */
const unreachableAfterMs = 3_000
/** A broker that does not answer a request for so long is not waited for. */
const requestTimeoutMs = 5_000

/** Starts serving. Fails with ConsoleError NOT_LOOPBACK or with a ListenError. */
export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const { address, runtime, logger, bootstrap } = options
  const { clock } = runtime
  if (!isLoopback(address.host)) throw notLoopback(address.host)

  const board = new Board()
  board.tick(clock.nowMs())
  const stream = new EventStream(board)
  const statuses = new ProgramStatuses()
  const cluster = new Cluster(runtime, {
    bootstrap,
    clientId: 'millrace-console',
    requestTimeoutMs,
    // The console only looks: whoever reports first creates the status topic, as it has to be.
    allowAutoTopicCreation: false,
  })
  const sources: AdminSources = {
    cluster,
    admin: new Admin(cluster),
    clock,
    logger,
    picture: () => board.picture,
    status: (id) => statuses.get(id),
  }
  const server = await newServer(options, stream)
  await serveRest(server, sources, { version: options.operations.build.version })
  const { url } = await listenOn(server, address, options.portOption ?? '--console-port')

  const follower = followStatus(cluster, clock, logger, {
    heard: (status, heardMs) => {
      board.hear(status, heardMs)
      statuses.hear(status)
    },
    deleted: (id) => {
      board.delete(id)
      statuses.delete(id)
    },
  })
  const ticker = new Ticker(clock, options.topics, board, follower, options.operations.health)
  ticker.start(() => stream.tick())

  const leave = async () => {
    ticker.stop()
    await Promise.all([follower.stop(), cluster.close()])
  }
  return {
    url: `${url}/`,
    board,
    leave,
    async close() {
      await Promise.all([leave(), server.close()])
    },
  }
}

/** Feeds the board with the broker's counters, and ends its seconds. */
class Ticker {
  readonly #clock: Clock
  readonly #topics: () => readonly TopicOverview[]
  readonly #board: Board
  readonly #follower: StatusFollower
  readonly #health: ProgramHealth
  #timer: Timer | undefined
  #counted: readonly TopicOverview[] | undefined
  #samples = 0

  constructor(
    clock: Clock,
    topics: () => readonly TopicOverview[],
    board: Board,
    follower: StatusFollower,
    health: ProgramHealth,
  ) {
    this.#clock = clock
    this.#topics = topics
    this.#board = board
    this.#follower = follower
    this.#health = health
  }

  start(onTick: () => void): void {
    const again = () => {
      this.#timer = this.#clock.setTimer(sampleMs, again)
      this.#sample(onTick)
    }
    again()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #sample(onTick: () => void): void {
    const isTick = this.#samples++ % (tickMs / sampleMs) === 0
    if (!isTick && this.#board.picture.agents.length === 0) return
    const nowMs = this.#clock.nowMs()
    const unread = this.#count(nowMs)
    if (!isTick) return
    const away = unread ?? this.#unreachable(nowMs)
    const reasons = this.#health.unhealthy().map(({ message }) => `broker: ${message}`)
    this.#board.brokerProblems = [...(away === undefined ? [] : [away]), ...reasons]
    this.#board.tick(nowMs)
    onTick()
  }

  /** Reads the broker's counters; returns why that failed. */
  #count(nowMs: number): string | undefined {
    try {
      const topics = this.#topics()
      // Counters that were read once are of one moment, and would make a rate of 0 the second time.
      if (topics !== this.#counted) this.#board.count(topics, nowMs)
      this.#counted = topics
      return undefined
    } catch (error) {
      return `failed to read the broker's topics: ${(error as Error).message}`
    }
  }

  #unreachable(nowMs: number): string | undefined {
    const { failure } = this.#follower
    if (!failure || nowMs - failure.sinceMs < unreachableAfterMs) return undefined
    const since = duration(nowMs - failure.sinceMs)
    return `broker not reachable for ${since}, agents and jobs are as last reported: ${failure.reason}`
  }
}

async function newServer(options: ConsoleOptions, stream: EventStream) {
  const server = guardedServer({ logger: options.logger, settings: restServerOptions })
  if (options.metrics) countRequests(server, options.metrics)
  const html = pageHtml()
  await server.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: policy(html.importMap) },
    // Plain HTTP on loopback: a browser that took either to heart would ask for HTTPS, and find nothing.
    strictTransportSecurity: false,
  })
  await serveFiles(server)

  server.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(html.text))
  server.get('/api/v1/events', (_request, reply) => {
    if (stream.isFull) {
      const message = 'too many pages are open: close one and try again'
      return reply.code(503).send({ error: 'TOO_MANY_PAGES', message })
    }
    reply.hijack()
    serveEvents(reply.raw, stream)
  })
  serveOperations(server, options.operations)
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

/**
 * Nothing from elsewhere, as consoles run where there is no way out, and nothing that the page does not
 * use. Complete: Helmet's defaults would add `upgrade-insecure-requests`, with which Safari asks for
 * the page's own files over HTTPS, and `font-src https:`.
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

/** Connects a page to the stream until either side closes. */
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
  // A connection that breaks is closed next; an error without a listener would end the process.
  response.on('error', () => {})
  stream.open(page)
}

function notLoopback(host: string): ConsoleError {
  return new ConsoleError(
    'NOT_LOOPBACK',
    `the console has no login yet and is served on this machine only: use 127.0.0.1 in place of ${host}`,
  )
}
