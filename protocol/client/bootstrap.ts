// Addresses of brokers as people write them.

import { parseHostPort } from '../configuration/hostPort.ts'
import type { Address } from '../runtime/network.ts'

/** A text is not the address of a broker. */
export class AddressError extends Error {
  readonly code = 'ADDRESS_INVALID'
}

/** Comma-separated `host:port`. Fails with an AddressError. */
export function parseBootstrap(list: string): Address[] {
  return list.split(',').map((entry) => {
    const address = parseHostPort(entry)
    if (address !== undefined && address.port > 0) return address
    throw new AddressError(`'${entry}' is not the address of a broker: give host:port`)
  })
}
