/**
 * Runs an agent inside a program: sources put events into channels and sinks take them out, as
 * configured by a flume.conf.
 *
 * ```ts
 * import { startAgent } from 'millrace/agent'
 *
 * const agent = await startAgent({
 *   name: 'web',
 *   configuration: `
 *     web.sources = access
 *     web.sources.access.type = TAILDIR
 *     web.sources.access.filegroups = logs
 *     web.sources.access.filegroups.logs = /var/log/nginx/access.log
 *     web.sources.access.channels = memory
 *     web.channels = memory
 *     web.channels.memory.type = memory
 *     web.sinks = kafka
 *     web.sinks.kafka.type = org.apache.flume.sink.kafka.KafkaSink
 *     web.sinks.kafka.kafka.bootstrap.servers = 127.0.0.1:9092
 *     web.sinks.kafka.kafka.topic = access
 *     web.sinks.kafka.channel = memory
 *   `,
 * })
 * await agent.stop()
 * ```
 *
 * Unstable: below 1.0, any release may change it.
 *
 * @module agent
 */

import type { Address } from '../protocol/runtime/network/network.ts'
import { tcpNetwork } from '../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { type Logger, type LogLevel, pinoLogger } from '../protocol/telemetry/logging/logger.ts'
import { type Agent, type ConfigurationFile, startAgent as startAgentWith } from './agent.ts'
import type { MetricsJson } from './monitoring/metricsPage.ts'

export { DirectoryInUseError } from '../protocol/runtime/disk/disk.ts'
export type { Address } from '../protocol/runtime/network/network.ts'
export type { Logger, LogLevel } from '../protocol/telemetry/logging/logger.ts'
export type { ConfigurationFile } from './agent.ts'
export { AgentError, type AgentErrorCode } from './errors.ts'
export type { MetricsJson } from './monitoring/metricsPage.ts'

/** Options of an agent. */
export interface AgentOptions {
  /** Name of the agent: the first part of its keys in the configuration. */
  readonly name: string
  /** Text of flume.conf, or several files of which later ones override earlier ones. */
  readonly configuration: string | readonly ConfigurationFile[]
  /** Base of relative paths in the configuration. Default: the working directory of the process. */
  readonly directory?: string
  /** Address of Flume's JSON metrics; without it they are not served. Port 0 takes a free port. */
  readonly monitoring?: Address
  /** Values of `${sys:key}`. */
  readonly systemProperties?: Readonly<Record<string, string>>
  /** Values of `${env:NAME}`. Default: the environment of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Logger, such as pino's. Default: JSON lines on standard error. */
  readonly logger?: Logger
  /** Minimum level of lines on standard error, without a `logger`. Default: `warn`. */
  readonly logLevel?: LogLevel
}

/** A running agent. */
export interface EmbeddedAgent extends AsyncDisposable {
  /** Rejects when the agent cannot continue. */
  readonly failed: Promise<never>
  /** Address that serves Flume's JSON metrics, with the port that was taken. */
  readonly monitoring: Address | undefined
  /** Flume's counters of each component, as served at `/metrics`. */
  metrics(): MetricsJson
  /**
   * Stops sources, then sinks, then channels, within a bounded time; memory channels are drained if
   * their sinks can deliver. Returns the names of components that did not stop in time and may keep
   * the process alive.
   */
  stop(): Promise<readonly string[]>
}

/**
 * Starts an agent. Fails with an AgentError whose message lists the problems of the configuration,
 * one per line. An invalid component is logged and dropped, if an agent without it still moves
 * events.
 */
export async function startAgent(options: AgentOptions): Promise<EmbeddedAgent> {
  const { directory, logger, logLevel = 'warn', environment = process.env, ...rest } = options
  const agent = await startAgentWith({
    ...rest,
    environment,
    ...(directory !== undefined && { baseDirectory: directory }),
    runtime: nodeRuntime(tcpNetwork),
    logger: logger ?? pinoLogger(logLevel),
  })
  return new RunningAgent(agent)
}

class RunningAgent implements EmbeddedAgent {
  readonly failed: Promise<never>
  readonly #agent: Agent

  constructor(agent: Agent) {
    this.#agent = agent
    this.failed = agent.failed
  }

  get monitoring(): Address | undefined {
    return this.#agent.monitoring
  }

  metrics(): MetricsJson {
    return this.#agent.metrics()
  }

  stop(): Promise<readonly string[]> {
    return this.#agent.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
