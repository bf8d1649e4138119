// The HTTP servers of a broker: the console with the admin REST API, on loopback only, and, if
// configured, `/metrics` and health on a second address for other hosts. The servers start before
// the broker does: while logs are recovered, `/healthy` answers 200 and `/ready` answers 503. Must
// never serve the console or the REST API on an address that other hosts can reach.

import type { HealthReason, ProgramHealth } from '../protocol/operations/health.ts'
import type { OperationsOptions } from '../protocol/operations/operationsOptions.ts'
import {
  type OperationsServer,
  startOperationsServer,
} from '../protocol/operations/operationsServer.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Timer } from '../protocol/runtime/time/clock.ts'
import { duration } from '../protocol/telemetry/figures.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import type { Metrics } from '../protocol/telemetry/metrics/metrics.ts'
import type { Console } from './admin/console.ts'
import { listenForConsole } from './admin/consoleFront.ts'
import type { Broker } from './broker.ts'
import type { HttpPlan } from './httpPlan.ts'

export interface BrokerHttpOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'network' | 'scheduler'>
  readonly logger: Logger
  readonly plan: HttpPlan
  /** Address at which the console connects to the broker. */
  readonly inside: Address
  readonly operations: Omit<OperationsOptions, 'health'>
  /** Registry for the request metrics of the console and the REST API. */
  readonly metrics?: Metrics | undefined
}

/** Delay before a console without requests is loaded: reconnecting clients are served first. */
const consoleAfterMs = 1_000

export class BrokerHttp {
  readonly #options: BrokerHttpOptions
  readonly #operations: OperationsOptions
  #broker: Broker | undefined
  #front: OperationsServer | undefined
  #console: Promise<Console> | undefined
  #consoleTimer: Timer | undefined
  #open: OperationsServer | undefined

  private constructor(options: BrokerHttpOptions) {
    this.#options = options
    this.#operations = { ...options.operations, health: this.#health() }
  }

  /** Starts the servers of `plan`. Fails with a ListenError. */
  static async start(options: BrokerHttpOptions): Promise<BrokerHttp> {
    const http = new BrokerHttp(options)
    try {
      await http.#serve()
      return http
    } catch (error) {
      await http.close()
      throw error
    }
  }

  /** URL of the console: `http://127.0.0.1:8080/`. */
  get consoleUrl(): string | undefined {
    return this.#front && `${this.#front.url}/`
  }

  /** URL of the metrics for other hosts. */
  get metricsUrl(): string | undefined {
    return this.#open && `${this.#open.url}/metrics`
  }

  /** Called when the broker starts to serve clients. */
  serves(broker: Broker): void {
    this.#broker = broker
    const { runtime, logger } = this.#options
    if (this.#front === undefined) return
    this.#consoleTimer = runtime.clock.setTimer(consoleAfterMs, () => {
      this.#openConsole().catch((error: unknown) => {
        logger.error({ error }, 'failed to load the console; the next request retries')
      })
    })
  }

  /**
   * Called before the broker closes: the console sends it no more requests, but still answers its
   * own.
   */
  async leave(): Promise<void> {
    this.#consoleTimer?.cancel()
    await (await this.#openedConsole())?.leave()
  }

  async close(): Promise<void> {
    this.#consoleTimer?.cancel()
    await Promise.all([this.#front?.close(), this.#open?.close()])
    await (await this.#openedConsole())?.close()
  }

  async #serve(): Promise<void> {
    const { plan, logger } = this.#options
    if (plan.console) this.#front = await this.#listenForConsole(plan.console)
    if (!plan.metrics) return
    // Other hosts may read, but change nothing.
    const readOnly = { ...this.#operations, logLevel: undefined }
    this.#open = await startOperationsServer({
      ...{ logger, listen: plan.metrics, option: '--metrics-listen', isOpen: true },
      operations: readOnly,
    })
  }

  async #listenForConsole({
    port,
    isAsked,
  }: NonNullable<HttpPlan['console']>): Promise<OperationsServer> {
    const { logger, metrics } = this.#options
    const listen = (on: number) =>
      listenForConsole(
        { logger, metrics, operations: this.#operations, address: { host: '127.0.0.1', port: on } },
        async () => (await this.#openConsole()).routes(),
      )
    try {
      return await listen(port)
    } catch (error) {
      if (isAsked || (error as { code?: unknown }).code !== 'PORT_IN_USE') throw error
      const front = await listen(0)
      const url = `${front.url}/`
      logger.info({ port, url }, `port ${port} is in use: the console is at ${url}`)
      return front
    }
  }

  /** Loaded lazily: starting the broker does not wait for the console. */
  async #openConsole(): Promise<Console> {
    const { runtime, logger, inside, metrics } = this.#options
    const operations = this.#operations
    this.#console ??= import('./admin/console.ts').then(({ openConsole }) =>
      openConsole({
        ...{ runtime, logger, operations, metrics },
        bootstrap: [inside],
        topics: () => this.#broker?.topics() ?? [],
      }),
    )
    try {
      return await this.#console
    } catch (error) {
      this.#console = undefined
      throw error
    }
  }

  /** Undefined if the console was never loaded, or failed to load. */
  #openedConsole(): Promise<Console | undefined> {
    return Promise.resolve(this.#console).catch(() => undefined)
  }

  #health(): ProgramHealth {
    const { clock } = this.#options.runtime
    const sinceMs = clock.nowMs()
    const starting = (): HealthReason[] => {
      const since = duration(clock.nowMs() - sinceMs)
      const message = `the broker has been starting for ${since}: it is opening its logs or recovering them after a crash`
      return [{ code: 'STARTING', message, sinceMs }]
    }
    return {
      unhealthy: () => this.#broker?.health.unhealthy() ?? [],
      notReady: () => this.#broker?.health.notReady() ?? starting(),
      warnings: () => this.#broker?.health.warnings?.() ?? [],
    }
  }
}
