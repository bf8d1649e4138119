// Parts of error messages that all implementations of Network share.

import { type Address, NetworkError } from './network.ts'

/** Formats an address as `host:port`, with an IPv6 host in brackets. */
export function hostPort(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}

export function addressInUse(address: Address, cause?: unknown): NetworkError {
  return new NetworkError(
    'ADDRESS_IN_USE',
    `${hostPort(address)} is in use: stop the other server there, or choose another port`,
    cause,
  )
}
