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
import type { Address } from '../protocol/runtime/network.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { tcpNetwork } from '../protocol/runtime/tcpNetwork.ts'
import { type Logger, type LogLevel, pinoLogger } from '../protocol/telemetry/logger.ts'
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
export { DirectoryInUseError } from '../protocol/runtime/disk.ts'
export { type Address, NetworkError, type NetworkErrorCode } from '../protocol/runtime/network.ts'
export type { Logger, LogLevel } from '../protocol/telemetry/logger.ts'
export type { BrokerOptionName } from './configuration/brokerOptions.ts'
export { BrokerError, type BrokerErrorCode } from './errors.ts'

/** Keys and values of Kafka's server.properties; all of them are in docs/broker-configuration.md. */
export type BrokerProperties = Readonly<
  Partial<Record<BrokerOptionName, string | number | boolean>>
>

/** Where a broker keeps its data, and where it listens. */
export interface BrokerOptions {
  /** Data directory, which is created if need be. Without it `log.dirs` or `log.dir`, or `millrace-data`. */
  readonly directory?: string
  /** Port to listen on; 0 is a free one. 9092 unless given. */
  readonly port?: number
  /** Address to listen on; 127.0.0.1 unless given. Nothing protects a broker that other hosts can reach. */
  readonly host?: string
  /** Configuration. `host` and `port` win over its `listeners`. */
  readonly config?: BrokerProperties
  /** Where the broker logs; a logger of pino fits. JSON lines on standard error unless given. */
  readonly logger?: Logger
  /** Least level of lines on standard error, where no `logger` is given; `warn` unless given. */
  readonly logLevel?: LogLevel
}

/** A broker that serves clients. */
export interface EmbeddedBroker extends AsyncDisposable {
  /** Addresses for a client's `bootstrap.servers`: `host:port`, several separated by commas. */
  readonly bootstrap: string
  /** The addresses bound, in the order of `listeners`. */
  readonly addresses: readonly Address[]
  readonly clusterId: string
  /**
   * Resolves, with the reason, when the broker can do nothing useful any more and should be closed: its last
   * data directory has failed, or the one that holds its metadata.
   */
  readonly failed: Promise<Error>
  /** What needs an operator, such as a data directory that has failed. */
  problems(): readonly HealthReason[]
  /** Answers the requests in progress, then closes everything in order. Calling it again changes nothing. */
  close(): Promise<void>
}

/**
 * Starts a broker and resolves when clients are served. Fails with a BrokerError for a configuration that
 * cannot be used, a DirectoryInUseError for a directory that another broker has, a NetworkError for an
 * address that cannot be listened on.
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

/** The rules of a configuration file, and one more: a key that nobody knows is a mistake of the program. */
function parsed(properties: BrokerProperties): Partial<BrokerConfig> {
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${escaped(String(value))}`)
  const { values, unused } = parseBrokerConfig(lines.join('\n'), 'config')
  const unknown = unused.find(({ reason }) => reason === undefined)
  if (unknown === undefined) return values
  const { key, suggestion } = unknown
  const meant = suggestion === undefined ? '' : `: did you mean ${suggestion}?`
  throw new BrokerError('CONFIGURATION_INVALID', `config: ${key} is no option of a broker${meant}`)
}

/** As a properties file has it. */
function escaped(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replace(/^[ \t\f]/, '\\$&')
}
