// The HTTP server of an agent: metrics, health, version and the log level. It starts before the
// agent and stays open across reloads of the configuration.

import { healthOf, type ProgramHealth } from '../protocol/operations/health.ts'
import type { OperationsOptions } from '../protocol/operations/operationsOptions.ts'
import {
  type OperationsServer,
  startOperationsServer,
} from '../protocol/operations/operationsServer.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import type { Clock } from '../protocol/runtime/time/clock.ts'
import { duration } from '../protocol/telemetry/figures.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import { type AgentReason, agentReasons } from './agentReasons.ts'

export interface AgentHttpOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly listen: Address
  /** Whether requests from other hosts are answered. */
  readonly isOpen: boolean
  readonly operations: Omit<OperationsOptions, 'health'>
}

/** The part of an agent that its health needs. */
export interface TroubledAgent {
  troubles(): readonly AgentReason[]
}

export class AgentHttp {
  readonly #clock: Clock
  readonly #sinceMs: number
  #agent: TroubledAgent | undefined
  #server: OperationsServer | undefined

  private constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.nowMs()
  }

  /** Fails with a ListenError. */
  static async start(options: AgentHttpOptions): Promise<AgentHttp> {
    const { clock, logger, listen, isOpen } = options
    const http = new AgentHttp(clock)
    const operations = { ...options.operations, health: http.#health() }
    const option = '--listen'
    http.#server = await startOperationsServer({ logger, listen, option, isOpen, operations })
    return http
  }

  /** `http://127.0.0.1:41234` */
  get url(): string {
    return this.#server!.url
  }

  /** The agent has started. */
  serves(agent: TroubledAgent): void {
    this.#agent = agent
  }

  async close(): Promise<void> {
    await this.#server?.close()
  }

  #health(): ProgramHealth {
    return healthOf(agentReasons, () => this.#agent?.troubles() ?? this.#starting())
  }

  #starting(): AgentReason[] {
    const since = duration(this.#clock.nowMs() - this.#sinceMs)
    const message = `the agent has been starting for ${since}: it is opening its channels`
    return [{ code: 'STARTING', message, sinceMs: this.#sinceMs }]
  }
}
