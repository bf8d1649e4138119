// Name and address of this host, for the host interceptor, escapes and the agent's status.

import { hostname, networkInterfaces } from 'node:os'
import { fullHostName } from '../protocol/runtime/network/hostName.ts'
import type { Clock } from '../protocol/runtime/time/clock.ts'

export interface HostIdentity {
  readonly name: string
  /** Fully qualified, where the host's resolver knows such a name. */
  readonly fullName: string
  /** The first IPv4 address that is not loopback; 127.0.0.1 if there is none. */
  readonly address: string
}

export async function localHost(clock: Clock): Promise<HostIdentity> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const reachable = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)
  const fullName = await fullHostName(clock)
  return { name: hostname(), fullName, address: reachable?.address ?? '127.0.0.1' }
}
