// Parses `listeners` and `advertised.listeners`: NAME://host:port, separated by commas.

import type { Address } from '../../protocol/runtime/network/network.ts'
import { BrokerError } from '../errors.ts'

export interface ListenerAddress {
  readonly name: string
  readonly address: Address
}

/** Throws a BrokerError that names `option`. Port 0 stands for a free port. */
export function parseListeners(text: string, option: string): ListenerAddress[] {
  const entries = text.split(',').map((entry) => entry.trim())
  const listeners = entries.filter((entry) => entry !== '').map((entry) => parse(entry, option))
  const names = new Set(listeners.map(({ name }) => name))
  if (names.size === listeners.length) return listeners
  throw new BrokerError('CONFIGURATION_INVALID', `${option}: "${text}" uses a name twice`)
}

function parse(entry: string, option: string): ListenerAddress {
  const match = /^([A-Za-z0-9_]+):\/\/(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(entry)
  const port = Number(match?.[4])
  if (!match || port > 65535) {
    throw new BrokerError(
      'CONFIGURATION_INVALID',
      `${option}: "${entry}" is no listener; write it as PLAINTEXT://127.0.0.1:9092`,
    )
  }
  const host = match[2] ?? match[3]!
  return { name: match[1]!, address: { host: host === '' ? '0.0.0.0' : host, port } }
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressText({ host, port }: Address): string {
  return `${hostText(host)}:${port}`
}

export function hostText(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Whether the host stands for all addresses of the machine, which no client can connect to. */
export function isWildcard(host: string): boolean {
  // The URL parser knows every spelling of an address: 0, 0x0, 0:0:0:0:0:0:0:0.
  const url = URL.parse(`http://${hostText(host)}`)
  return ['0.0.0.0', '[::]', '[::ffff:0:0]'].includes(url?.hostname ?? host)
}
