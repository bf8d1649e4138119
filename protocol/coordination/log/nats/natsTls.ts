// TLS to NATS, as options of the NATS client.
//
// The client names no host to check certificates against when an address is an IP: Node would then
// look for "localhost". Here such a certificate must be for an IP among the configured servers.

import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import type { TlsOptions } from '@nats-io/transport-node'
import type { NatsTls } from './natsSettings.ts'

/** The client hands options on to Node that its type does not list. */
export function tlsOptions(tls: NatsTls, servers: readonly string[]): TlsOptions {
  const options = {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.verify === false ? { rejectUnauthorized: false } : {}),
    checkServerIdentity: (host: string, certificate: PeerCertificate) =>
      identityProblem(host, certificate, servers),
  }
  return options
}

function identityProblem(
  host: string,
  certificate: PeerCertificate,
  servers: readonly string[],
): Error | undefined {
  const problem = checkServerIdentity(host, certificate)
  if (problem === undefined || host !== 'localhost') return problem
  const addresses = servers
    .map((server) => server.slice(0, server.lastIndexOf(':')).replace(/^\[|\]$/g, ''))
    .filter((address) => /^[\d.]+$|:/.test(address))
  const isOne = addresses.some((address) => checkServerIdentity(address, certificate) === undefined)
  return isOne ? undefined : problem
}
