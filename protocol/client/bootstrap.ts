// Parses lists of broker addresses, as given in `bootstrap.servers` and on command lines.

import { parseHostPort } from '../configuration/hostPort.ts'
import type { Address } from '../runtime/network.ts'

/** An address of a broker is malformed. */
export class AddressError extends Error {
  readonly code = 'ADDRESS_INVALID'
}

/** Parses a comma-separated list of `host:port`. Throws an AddressError. */
export function parseBootstrap(list: string): Address[] {
  return list.split(',').map((entry) => {
    const address = parseHostPort(entry)
    if (address !== undefined && address.port > 0) return address
    throw new AddressError(`invalid broker address '${entry}': expected host:port`)
  })
}
