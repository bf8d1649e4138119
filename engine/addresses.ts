// Addresses as a command line gives them.

import { parseHostPort } from '../protocol/commandLine/hostPort.ts'
import type { Address } from '../protocol/runtime/network.ts'

class AddressError extends Error {
  readonly code = 'ADDRESS_INVALID'
}

/** Comma-separated `host:port`. */
export function parseBootstrap(list: string): Address[] {
  return list.split(',').map((entry) => {
    const address = parseHostPort(entry)
    if (address !== undefined && address.port > 0) return address
    throw new AddressError(`'${entry}' is not the address of a broker: give host:port`)
  })
}

/** One `host:port`; port 0 is a free one. `option` names what gives it. */
export function parseAddress(option: string, text: string): Address {
  const address = parseHostPort(text)
  if (address !== undefined) return address
  throw new AddressError(
    `${option} ${text} is not an address: give host:port, with port 0 for a free one`,
  )
}
