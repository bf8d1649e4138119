// Plans the listeners of a broker from its configuration, and the address that each advertises:
// Kafka's keys `listeners`, `advertised.listeners`, `listener.security.protocol.map` and
// `controller.listener.names`. Invariant: no listener is served with less protection than it asks
// for, and none advertises an address that no client can connect to. Decision 28.

import { isLoopback } from '../../protocol/runtime/network/loopback.ts'
import type { Address, Network } from '../../protocol/runtime/network/network.ts'
import { BrokerError } from '../errors.ts'
import type { BrokerConfig } from './brokerOptions.ts'
import { addressText, isWildcard, type ListenerAddress, parseListeners } from './listenerAddress.ts'

export interface BrokerListener {
  readonly name: string
  readonly network: Network
  /** Port 0 takes a free port. */
  readonly address: Address
  /** The address that clients are told to connect to; by default the address that was bound. */
  readonly advertised?: Address
  /** Reachable only from this process, and therefore not listed as an address. */
  readonly isInProcess?: boolean
}

export interface ListenerPlan {
  readonly listeners: readonly BrokerListener[]
  /** Names of the listeners that other hosts can reach. */
  readonly open: readonly string[]
  /** Names of controller listeners. They are not opened: the controller runs in this process. */
  readonly unserved: readonly string[]
}

type ListenerConfig = Pick<
  BrokerConfig,
  | 'listeners'
  | 'advertised.listeners'
  | 'listener.security.protocol.map'
  | 'controller.listener.names'
>

/** Throws a BrokerError. `hostName`: of this machine, for the line that a message suggests. */
export function planListeners(
  config: ListenerConfig,
  network: Network,
  hostName: string,
): ListenerPlan {
  const all = parseListeners(config.listeners, 'listeners')
  const controllers = new Set(words(config['controller.listener.names']))
  const served = all.filter(({ name }) => !controllers.has(name))
  if (served.length === 0) throw invalid('listeners: at least one is needed that serves clients')
  requirePlaintext(served, config['listener.security.protocol.map'])
  const advertised = parseAdvertised(config['advertised.listeners'], all)
  const listeners = served.map(({ name, address }): BrokerListener => {
    const told = advertised.get(name)
    if (told) return { name, network, address, advertised: told }
    if (isWildcard(address.host)) throw unadvertised(name, address, hostName)
    return { name, network, address }
  })
  return {
    listeners,
    open: served.filter(({ address }) => !isLoopback(address.host)).map(({ name }) => name),
    unserved: all.filter(({ name }) => controllers.has(name)).map(({ name }) => name),
  }
}

/** As in Kafka, every listener needs an entry in the map. */
function requirePlaintext(served: readonly ListenerAddress[], mapText: string): void {
  const protocols = new Map(words(mapText).map(parseMapping))
  for (const { name } of served) {
    const protocol = protocols.get(name)
    if (protocol === 'PLAINTEXT') continue
    if (protocol === undefined) {
      throw invalid(
        `listener.security.protocol.map has no protocol for the listener ${name}: add ${name}:PLAINTEXT`,
      )
    }
    throw new BrokerError(
      'SECURITY_UNSUPPORTED',
      `listeners: ${name} asks for ${protocol}, which this broker does not have yet: serve PLAINTEXT on loopback or a private network, or remove the listener`,
    )
  }
}

function parseMapping(entry: string): [name: string, protocol: string] {
  const [, name, protocol] = /^(\w+):(\w+)$/.exec(entry) ?? []
  if (name !== undefined && protocol !== undefined) return [name, protocol.toUpperCase()]
  throw invalid(`listener.security.protocol.map: "${entry}" is not NAME:PROTOCOL`)
}

function parseAdvertised(
  text: string,
  listeners: readonly ListenerAddress[],
): Map<string, Address> {
  const advertised = parseListeners(text, 'advertised.listeners')
  for (const { name, address } of advertised) {
    const entry = `advertised.listeners: ${name}://${addressText(address)}`
    if (!listeners.some((listener) => listener.name === name)) {
      throw invalid(`${entry} has no listener of that name in listeners`)
    }
    if (isWildcard(address.host)) {
      throw invalid(`${entry} is no address to connect to: give this host's name or address`)
    }
    if (address.port === 0) throw invalid(`${entry} needs a port from 1 to 65535`)
  }
  return new Map(advertised.map(({ name, address }) => [name, address]))
}

function unadvertised(name: string, address: Address, hostName: string): BrokerError {
  const port = address.port === 0 ? 9092 : address.port
  return invalid(
    `listeners: ${name}://${addressText(address)} listens on all addresses, so clients must be told which one to connect to: add the line advertised.listeners=${name}://${hostName}:${port} to the configuration file, or listen on one address`,
  )
}

function words(text: string): string[] {
  const all = text.split(',').map((word) => word.trim())
  return all.filter((word) => word !== '')
}

function invalid(message: string): BrokerError {
  return new BrokerError('CONFIGURATION_INVALID', message)
}
