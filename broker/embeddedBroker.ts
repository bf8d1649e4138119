/**
 * Runs a broker inside of a program: a commit log that any Kafka client can talk to.
 *
 * ```ts
 * import { startBroker } from 'millrace/broker'
 *
 * const broker = await startBroker({ directory: 'data', port: 0, config: { 'num.partitions': 3 } })
 * console.log(`Kafka clients: ${broker.bootstrap}`)
 * await broker.close()
 * ```
 *
 * For tests, `millrace/testing` has a broker that keeps everything in memory.
 *
 * Unstable: below 1.0, any release may change it.
 *
 * @module broker
 */

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { HealthReason } from '../protocol/operations/health.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import { tcpNetwork } from '../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { type Logger, type LogLevel, pinoLogger } from '../protocol/telemetry/logging/logger.ts'
import { type Broker, startBroker as startBrokerWith } from './broker.ts'
import {
  type BrokerConfig,
  type BrokerOptionName,
  brokerConfig,
} from './configuration/brokerOptions.ts'
import { parseBrokerConfig } from './configuration/configurationFile.ts'
import { addressText, hostText } from './configuration/listenerAddress.ts'
import { planListeners } from './configuration/listeners.ts'
import { BrokerError } from './errors.ts'

export type { HealthReason } from '../protocol/operations/health.ts'
export { DirectoryInUseError } from '../protocol/runtime/disk/disk.ts'
export {
  type Address,
  NetworkError,
  type NetworkErrorCode,
} from '../protocol/runtime/network/network.ts'
export type { Logger, LogLevel } from '../protocol/telemetry/logging/logger.ts'
export type { BrokerOptionName } from './configuration/brokerOptions.ts'
export { BrokerError, type BrokerErrorCode } from './errors.ts'

/** Keys and values of Kafka's server.properties; docs/broker-configuration.md lists all of them. */
export type BrokerProperties = Readonly<
  Partial<Record<BrokerOptionName, string | number | boolean>>
>

/** Where a broker keeps its data and where it listens. */
export interface BrokerOptions {
  /**
   * Data directory, created if it does not exist. Default: `log.dirs`, else `log.dir`, else
   * `millrace-data`.
   */
  readonly directory?: string
  /** Port to listen on; 0 takes a free one. Default: 9092. */
  readonly port?: number
  /**
   * Address to listen on. Default: 127.0.0.1. A broker that other hosts can reach has no access
   * control.
   */
  readonly host?: string
  /** Configuration. `host` and `port` take precedence over its `listeners`. */
  readonly config?: BrokerProperties
  /** Logger of the broker; a pino logger fits. Default: JSON lines on standard error. */
  readonly logger?: Logger
  /** Lowest level logged to standard error if no `logger` is given. Default: `warn`. */
  readonly logLevel?: LogLevel
}

/** A broker that serves clients. */
export interface EmbeddedBroker extends AsyncDisposable {
  /** Addresses for a client's `bootstrap.servers`: `host:port`, several separated by commas. */
  readonly bootstrap: string
  /** Bound addresses, in the order of `listeners`. */
  readonly addresses: readonly Address[]
  readonly clusterId: string
  /**
   * Resolves with the reason when the broker can no longer serve and should be closed: its last
   * data directory has failed, or the one with its metadata.
   */
  readonly failed: Promise<Error>
  /** Conditions that need an operator, such as a failed data directory. */
  problems(): readonly HealthReason[]
  /**
   * Finishes the requests in progress, then closes everything cleanly. A second call has no effect.
   */
  close(): Promise<void>
}

/**
 * Starts a broker; resolves when it serves clients. Fails with a BrokerError for an invalid
 * configuration, a DirectoryInUseError for a data directory that another broker has locked, a
 * NetworkError for an address that cannot be bound.
 */
export async function startBroker(options: BrokerOptions = {}): Promise<EmbeddedBroker> {
  const config = configOf(options)
  const { listeners } = planListeners(config, tcpNetwork, hostname())
  const broker = await startBrokerWith({
    runtime: nodeRuntime(tcpNetwork),
    logger: options.logger ?? pinoLogger(options.logLevel ?? 'warn'),
    config,
    listeners,
  })
  const reached = broker.listeners.map(({ address }, index) => {
    const advertised = listeners[index]?.advertised
    return addressText(advertised ?? address)
  })
  return new RunningBroker(broker, reached.join(','))
}

class RunningBroker implements EmbeddedBroker {
  readonly bootstrap: string
  readonly addresses: readonly Address[]
  readonly clusterId: string
  readonly failed: Promise<Error>
  readonly #broker: Broker

  constructor(broker: Broker, bootstrap: string) {
    this.bootstrap = bootstrap
    this.addresses = broker.listeners.map(({ address }) => address)
    this.clusterId = broker.clusterId
    this.failed = broker.failed
    this.#broker = broker
  }

  problems(): readonly HealthReason[] {
    const { health } = this.#broker
    return [...health.unhealthy(), ...health.notReady()]
  }

  close(): Promise<void> {
    return this.#broker.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function configOf({ directory, host, port, config = {} }: BrokerOptions): BrokerConfig {
  const name = 'PLAINTEXT'
  const listens = host !== undefined || port !== undefined
  const values = {
    ...parsed(config),
    ...(directory !== undefined && { 'log.dirs': resolve(directory) }),
    ...(listens && {
      listeners: `${name}://${hostText(host ?? '127.0.0.1')}:${port ?? 9092}`,
      'listener.security.protocol.map': `${name}:PLAINTEXT`,
    }),
  }
  return brokerConfig(values)
}

/**
 * Parses like a configuration file, but refuses unknown keys, which are mistakes in the program.
 */
function parsed(properties: BrokerProperties): Partial<BrokerConfig> {
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${escaped(String(value))}`)
  const { values, unused } = parseBrokerConfig(lines.join('\n'), 'config')
  const unknown = unused.find(({ reason }) => reason === undefined)
  if (unknown === undefined) return values
  const { key, suggestion } = unknown
  const meant = suggestion === undefined ? '' : `: did you mean ${suggestion}?`
  throw new BrokerError('CONFIGURATION_INVALID', `config: unknown broker option ${key}${meant}`)
}

/** Escapes a value for a properties file. */
function escaped(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replace(/^[ \t\f]/, '\\$&')
}
