// Addresses as a command line gives them.

import type { Address } from '../protocol/runtime/network.ts'

class AddressError extends Error {
  readonly code = 'ADDRESS_INVALID'
}

/** Comma-separated `host:port`. */
export function parseBootstrap(list: string): Address[] {
  return list.split(',').map((entry) => {
    const address = parsed(entry)
    if (address !== undefined && address.port > 0) return address
    throw new AddressError(`'${entry}' is not the address of a broker: give host:port`)
  })
}

/** One `host:port`; port 0 is a free one. `option` names what gives it. */
export function parseAddress(option: string, text: string): Address {
  const address = parsed(text)
  if (address !== undefined) return address
  throw new AddressError(
    `${option} ${text} is not an address: give host:port, with port 0 for a free one`,
  )
}

function parsed(text: string): Address | undefined {
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text.trim()) ?? []
  if (host === undefined || Number(port) > 65_535) return undefined
  return { host, port: Number(port) }
}
