// The console: one page on this machine's loopback address, fed by one stream of events. It reads
// the status topic as any client would and the broker's counters, and changes nothing anywhere. What the page
// shows is collected from the start on; the page, and the admin REST API beside it, are loaded when somebody asks.

import type { FastifyInstance } from 'fastify'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster.ts'
import type { ProgramHealth } from '../../protocol/operations/health.ts'
import type { LateRoutes } from '../../protocol/operations/lateServer.ts'
import type { OperationsOptions } from '../../protocol/operations/operations.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Address } from '../../protocol/runtime/network.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import { duration } from '../../protocol/telemetry/figures.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { Metrics } from '../../protocol/telemetry/metrics.ts'
import { followStatus, type StatusFollower } from '../../protocol/telemetry/statusFollower.ts'
import type { TopicOverview } from '../server/overview.ts'
import { Board } from './board/board.ts'
import { type ConsolePlace, listenForConsole } from './consoleFront.ts'
import { EventStream } from './eventStream.ts'
import type { AdminSources } from './rest/adminContext.ts'
import { ProgramStatuses } from './rest/programStatuses.ts'

export interface ConsoleOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'network' | 'scheduler'>
  readonly logger: Logger
  /** Brokers to ask first for the status topic. */
  readonly bootstrap: readonly Address[]
  /** The counters of the topics, read once a second; the same array while nothing newer is known. */
  readonly topics: () => readonly TopicOverview[]
  /** What `/metrics`, `/healthy` and the like answer. */
  readonly operations: OperationsOptions
  /** Where requests are counted. */
  readonly metrics?: Metrics | undefined
}

/** The console without an address. */
export interface Console {
  readonly board: Board
  /** Loads the page and the REST API; resolves with what answers requests for them. */
  readonly routes: LateRoutes
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

/** Starts collecting what the page shows. */
export function openConsole(options: ConsoleOptions): Console {
  const { runtime, logger, bootstrap, operations, metrics } = options
  const { clock } = runtime
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
  const ticker = new Ticker(clock, options.topics, board, follower, operations.health)
  ticker.start(() => stream.tick())

  let loaded: Promise<FastifyInstance> | undefined
  const load = async (): Promise<FastifyInstance> => {
    const { consoleServer } = await import('./consoleServer.ts')
    return await consoleServer({ logger, metrics, stream, sources, build: operations.build })
  }
  const leave = async () => {
    ticker.stop()
    await Promise.all([follower.stop(), cluster.close()])
  }
  return {
    board,
    async routes() {
      loaded = load()
      return (await loaded).routing
    },
    leave,
    async close() {
      const server = loaded?.then(
        (server) => server.close(),
        // Whoever asked for it was told.
        () => {},
      )
      await Promise.all([leave(), server])
    },
  }
}

export interface ConsoleServerOptions extends ConsoleOptions, ConsolePlace {}

/** The console at an address. */
export interface ServedConsole extends Pick<Console, 'board' | 'leave' | 'close'> {
  /** Where the page is, for people: `http://127.0.0.1:8080/`. */
  readonly url: string
}

/** Starts serving. Fails with ConsoleError NOT_LOOPBACK or with a ListenError. */
export async function startConsole(options: ConsoleServerOptions): Promise<ServedConsole> {
  let console: Console | undefined
  const open = () => (console ??= openConsole(options))
  const front = await listenForConsole(options, () => open().routes())
  const { board, leave, close } = open()
  return {
    url: `${front.url}/`,
    board,
    leave,
    async close() {
      await Promise.all([front.close(), close()])
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
