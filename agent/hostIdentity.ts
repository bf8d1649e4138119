// Which host this is: for the host interceptor and for what an agent reports about itself.

import { hostname, networkInterfaces } from 'node:os'

export interface HostIdentity {
  readonly name: string
  /** The first address that other hosts can reach; the loopback address when there is none. */
  readonly address: string
}

export function localHost(): HostIdentity {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const reachable = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)
  return { name: hostname(), address: reachable?.address ?? '127.0.0.1' }
}
