// Parses addresses given on a command line.

import { AddressError } from '../protocol/client/bootstrap.ts'
import { parseHostPort } from '../protocol/configuration/hostPort.ts'
import type { Address } from '../protocol/runtime/network.ts'

export { parseBootstrap } from '../protocol/client/bootstrap.ts'

/** Parses one `host:port`; port 0 means any free port. `option` names the option in errors. */
export function parseAddress(option: string, text: string): Address {
  const address = parseHostPort(text)
  if (address !== undefined) return address
  throw new AddressError(
    `${option} ${text} is not an address; give host:port, with port 0 for any free port`,
  )
}
