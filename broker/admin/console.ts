// The console: one page on the loopback address, fed by one stream of events. It reads the status
// topic as any client would, and the broker's counters.
// Contract: collects from the start; the page and the REST API are loaded at the first request.
// Must never be reachable from other hosts. The console itself changes nothing in the cluster; the
// REST API (rest/), which it serves, does.

import type { FastifyInstance } from 'fastify'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import type { ProgramHealth } from '../../protocol/operations/health.ts'
import type { LateRoutes } from '../../protocol/operations/lateServer.ts'
import type { OperationsOptions } from '../../protocol/operations/operationsOptions.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import { duration } from '../../protocol/telemetry/figures.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import {
  followStatus,
  type StatusFollower,
} from '../../protocol/telemetry/status/statusFollower.ts'
import type { TopicOverview } from '../server/overview.ts'
import { Board } from './board/board.ts'
import { type ConsolePlace, listenForConsole } from './consoleFront.ts'
import { EventStream } from './eventStream.ts'
import type { AdminSources } from './rest/adminContext.ts'
import { ProgramStatuses } from './rest/programStatuses.ts'

export interface ConsoleOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'network' | 'scheduler'>
  readonly logger: Logger
  /** Bootstrap addresses of the cluster. */
  readonly bootstrap: readonly Address[]
  /**
   * Returns the counters of the topics; called once a second. Returns the same array while nothing
   * newer is known.
   */
  readonly topics: () => readonly TopicOverview[]
  /** Options of the operations routes: `/metrics`, `/healthy` and others. */
  readonly operations: OperationsOptions
  /** Registry of the request metrics. */
  readonly metrics?: Metrics | undefined
}

/** A console that does not listen by itself. */
export interface Console {
  readonly board: Board
  /** Loads the page and the REST API; resolves with the handler of their requests. */
  readonly routes: LateRoutes
  /**
   * Called before the broker closes: sends it no more requests; the last figures are still served.
   */
  leave(): Promise<void>
  close(): Promise<void>
}

const tickMs = 1_000
/**
 * Interval of topic samples while agents report, which keeps a picture's moment close to theirs.
 */
const sampleMs = 250
/** The broker counts as unreachable after this time; a restart takes less. */
const unreachableAfterMs = 3_000
/** Timeout of one request to a broker. */
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
    // The console is read-only: the first program that reports creates the status topic, with its
    // configuration.
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
        // The failure was already reported to the caller that loaded the routes.
        () => {},
      )
      await Promise.all([leave(), server])
    },
  }
}

export interface ConsoleServerOptions extends ConsoleOptions, ConsolePlace {}

/** The console, listening on an address. */
export interface ServedConsole extends Pick<Console, 'board' | 'leave' | 'close'> {
  /** URL of the page: `http://127.0.0.1:8080/`. */
  readonly url: string
}

/** Starts the console. Fails with ConsoleError NOT_LOOPBACK or with a ListenError. */
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

/** Feeds the broker's counters to the board, and ends its seconds. */
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

  /** Reads the broker's counters; returns the reason if that failed. */
  #count(nowMs: number): string | undefined {
    try {
      const topics = this.#topics()
      // Counting the same array twice would show a rate of 0.
      if (topics !== this.#counted) this.#board.count(topics, nowMs)
      this.#counted = topics
      return undefined
    } catch (error) {
      return `failed to read the topics of the broker: ${(error as Error).message}`
    }
  }

  #unreachable(nowMs: number): string | undefined {
    const { failure } = this.#follower
    if (!failure || nowMs - failure.sinceMs < unreachableAfterMs) return undefined
    const since = duration(nowMs - failure.sinceMs)
    return `broker unreachable for ${since}, agents and jobs are shown as last reported: ${failure.reason}`
  }
}
