// What a broker serves over HTTP: the console with the admin REST API, on loopback alone, and, when it is
// asked for, `/metrics` and the state of the broker on a second address for other hosts. It is there before
// the broker is: while logs are recovered, `/healthy` says that all is well and `/ready` that it is not yet.

import type { HealthReason, ProgramHealth } from '../protocol/operations/health.ts'
import type { OperationsOptions } from '../protocol/operations/operations.ts'
import {
  type OperationsServer,
  startOperationsServer,
} from '../protocol/operations/operationsServer.ts'
import type { Address } from '../protocol/runtime/network.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import { duration } from '../protocol/telemetry/figures.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import type { Metrics } from '../protocol/telemetry/metrics.ts'
import type { Console } from './admin/console.ts'
import type { Broker } from './broker.ts'
import type { HttpPlan } from './httpPlan.ts'

export interface BrokerHttpOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly plan: HttpPlan
  /** How the console reaches the broker. */
  readonly inside: Address
  readonly operations: Omit<OperationsOptions, 'health'>
  /** Where requests to the console and the REST API are counted. */
  readonly metrics?: Metrics | undefined
}

export class BrokerHttp {
  readonly #options: BrokerHttpOptions
  #broker: Broker | undefined
  #console: Console | undefined
  #open: OperationsServer | undefined

  private constructor(options: BrokerHttpOptions) {
    this.#options = options
  }

  /** Starts serving what the plan says. Fails with a ListenError. */
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

  /** Where the console is: `http://127.0.0.1:8080/`. */
  get consoleUrl(): string | undefined {
    return this.#console?.url
  }

  /** Where the metrics are, for other hosts. */
  get metricsUrl(): string | undefined {
    return this.#open && `${this.#open.url}/metrics`
  }

  /** The broker serves its clients from now on. */
  serves(broker: Broker): void {
    this.#broker = broker
  }

  /** The broker is going to close: the console asks it no more, and still answers. */
  async leave(): Promise<void> {
    await this.#console?.leave()
  }

  async close(): Promise<void> {
    await Promise.all([this.#console?.close(), this.#open?.close()])
  }

  async #serve(): Promise<void> {
    const { plan, logger } = this.#options
    const operations: OperationsOptions = { ...this.#options.operations, health: this.#health() }
    if (plan.console) this.#console = await this.#serveConsole(plan.console, operations)
    if (!plan.metrics) return
    // Whoever is on another host reads, and changes nothing.
    const readOnly = { ...operations, logLevel: undefined }
    this.#open = await startOperationsServer({
      ...{ logger, listen: plan.metrics, option: '--metrics-listen', isOpen: true },
      operations: readOnly,
    })
  }

  async #serveConsole(
    { port, isAsked }: NonNullable<HttpPlan['console']>,
    operations: OperationsOptions,
  ): Promise<Console> {
    const { runtime, logger, inside, metrics } = this.#options
    // With all that it serves, the console is a large part of the program: loaded for those who want it.
    const { startConsole } = await import('./admin/console.ts')
    const start = (on: number) =>
      startConsole({
        ...{ runtime, logger, operations, metrics },
        address: { host: '127.0.0.1', port: on },
        bootstrap: [inside],
        topics: () => this.#broker?.topics() ?? [],
      })
    try {
      return await start(port)
    } catch (error) {
      if (isAsked || (error as { code?: unknown }).code !== 'PORT_IN_USE') throw error
      const console = await start(0)
      const message = `port ${port} is in use: the console is at ${console.url}`
      logger.info({ port, url: console.url }, message)
      return console
    }
  }

  #health(): ProgramHealth {
    const { clock } = this.#options.runtime
    const sinceMs = clock.nowMs()
    const starting = (): HealthReason[] => {
      const since = duration(clock.nowMs() - sinceMs)
      const message = `the broker has been starting for ${since}: it opens its logs, or recovers them after a crash`
      return [{ code: 'STARTING', message, sinceMs }]
    }
    return {
      unhealthy: () => this.#broker?.health.unhealthy() ?? [],
      notReady: () => this.#broker?.health.notReady() ?? starting(),
      warnings: () => this.#broker?.health.warnings?.() ?? [],
    }
  }
}
