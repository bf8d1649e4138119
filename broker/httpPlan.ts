// Decides where a broker serves HTTP, from its command line and its configuration. Invariant: the
// console and the admin REST API are never served on an address that other hosts can reach, since
// they have no authentication yet.

import { parseHostPort } from '../protocol/configuration/hostPort.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import type { BrokerConfig } from './configuration/brokerOptions.ts'
import { addressText, isWildcard } from './configuration/listenerAddress.ts'
import { BrokerError } from './errors.ts'

export interface HttpPlan {
  /** Port of the console on 127.0.0.1; 0 takes a free one. Undefined: no console. */
  readonly console: { readonly port: number; readonly isAsked: boolean } | undefined
  /** Address at which other hosts may read metrics and health. */
  readonly metrics: Address | undefined
}

export interface HttpArguments {
  readonly consolePort?: number | undefined
  /** False disables the console, the admin REST API and everything else on loopback. */
  readonly console?: boolean | undefined
  /** `host:port` */
  readonly metricsListen?: string | undefined
}

type HttpConfig = Pick<BrokerConfig, 'console.enable' | 'console.port' | 'http.metrics.listen'>

/**
 * Returns where to serve. `given` are the keys of the configuration file; arguments take precedence
 * over them. `listeners` are the addresses for clients, which the HTTP addresses must not collide
 * with. Fails with a BrokerError.
 */
export function planHttp(
  args: HttpArguments,
  config: HttpConfig,
  given: ReadonlySet<string>,
  listeners: readonly Address[],
): HttpPlan {
  const isWanted = args.console === false ? false : config['console.enable']
  const port = args.consolePort ?? config['console.port']
  const isAsked = args.consolePort !== undefined || given.has('console.port')
  if (args.console === false && args.consolePort !== undefined) {
    throw invalid('--console-port and --no-console contradict each other: give one of them')
  }
  const metrics = metricsAddress(args.metricsListen ?? config['http.metrics.listen'])
  const taken = metrics === undefined ? listeners : [...listeners, metrics]
  if (metrics) requireFree('http.metrics.listen (--metrics-listen)', metrics, listeners)
  if (!isWanted && args.consolePort === undefined) return { console: undefined, metrics }
  const console = { host: '127.0.0.1', port }
  if (isAsked) requireFree('console.port (--console-port)', console, taken)
  const isFree = taken.every((address) => !collide(console, address))
  return { console: { port: isFree ? port : 0, isAsked }, metrics }
}

/** Without this check, the system would report that another program has the port. */
function requireFree(name: string, address: Address, taken: readonly Address[]): void {
  const other = taken.find((each) => collide(address, each))
  if (other === undefined) return
  throw invalid(
    `${name} is ${addressText(address)}, which collides with ${addressText(other)}: give each its own port`,
  )
}

function collide(a: Address, b: Address): boolean {
  if (a.port === 0 || a.port !== b.port) return false
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host)
}

function metricsAddress(text: string): Address | undefined {
  if (text === '') return undefined
  const address = parseHostPort(text)
  if (address) return address
  throw invalid(
    `http.metrics.listen (--metrics-listen) is invalid: "${text}"; give host:port, as in 0.0.0.0:9404`,
  )
}

function invalid(message: string): BrokerError {
  return new BrokerError('CONFIGURATION_INVALID', message)
}
