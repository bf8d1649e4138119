// Parses addresses of brokers as people write them.

import { parseHostPort } from '../configuration/hostPort.ts'
import { CodedError } from '../runtime/codedError.ts'
import type { Address } from '../runtime/network/network.ts'

/** An address of a broker is malformed. */
export class AddressError extends CodedError<'ADDRESS_INVALID'> {
  constructor(message: string, cause?: unknown) {
    super('ADDRESS_INVALID', message, cause)
  }
}

const protocols = /^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL):\/\//i

/**
 * Parses comma-separated `host:port`, each also as `PLAINTEXT://host:port`. Fails with an
 * AddressError, also for a listener that needs TLS or SASL.
 */
export function parseBootstrap(list: string): Address[] {
  return list.split(',').map((entry) => {
    const text = entry.trim()
    const protocol = protocols.exec(text)?.[1]?.toUpperCase()
    if (protocol !== undefined && protocol !== 'PLAINTEXT') {
      throw new AddressError(
        `${text} needs ${protocol}, which is not supported yet: give a listener of the cluster without TLS and SASL`,
      )
    }
    const address = parseHostPort(text.replace(protocols, ''))
    if (address !== undefined && address.port > 0) return address
    throw new AddressError(`invalid broker address '${entry}': expected host:port`)
  })
}
