// Addresses as a command line gives them.

import { AddressError } from '../protocol/client/bootstrap.ts'
import { parseHostPort } from '../protocol/commandLine/hostPort.ts'
import type { Address } from '../protocol/runtime/network.ts'

export { parseBootstrap } from '../protocol/client/bootstrap.ts'

/** One `host:port`; port 0 is a free one. `option` names what gives it. */
export function parseAddress(option: string, text: string): Address {
  const address = parseHostPort(text)
  if (address !== undefined) return address
  throw new AddressError(
    `${option} ${text} is not an address: give host:port, with port 0 for a free one`,
  )
}
