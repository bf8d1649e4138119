// Parses the address that a program listens on, as a command line gives it.

import { AddressError } from '../../protocol/client/bootstrap.ts'
import { parseHostPort } from '../../protocol/configuration/hostPort.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'

/** Parses one `host:port`; port 0 selects a free port. `option` is named in the AddressError. */
export function parseAddress(option: string, text: string): Address {
  const address = parseHostPort(text)
  if (address !== undefined) return address
  throw new AddressError(
    `${option} ${text} is not an address: expected host:port, with port 0 for a free port`,
  )
}
