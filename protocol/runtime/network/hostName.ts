// The fully qualified name of the host, from its resolver (/etc/hosts, DNS).

import { lookup, lookupService } from 'node:dns/promises'
import { hostname } from 'node:os'
import { type Clock, sleep } from '../time/clock.ts'

/** The resolver functions of the system, or replacements in tests. */
export interface HostResolver {
  readonly hostname: () => string
  readonly lookup: (name: string) => Promise<{ address: string }>
  readonly lookupService: (address: string, port: number) => Promise<{ hostname: string }>
}

/** Limit on the lookup: a resolver without a reachable server takes many seconds per query. */
const timeoutMs = 2000

/**
 * Returns the fully qualified host name; the short name when the resolver fails, times out, or
 * returns another host's name, as on hosts that resolve their own name to the address of
 * `localhost`.
 */
export async function fullHostName(
  clock: Clock,
  resolver: HostResolver = { hostname, lookup, lookupService },
): Promise<string> {
  const short = resolver.hostname()
  const late = new AbortController()
  const full = await Promise.race([
    resolvedName(short, resolver),
    sleep(clock, timeoutMs, late.signal).then(() => undefined),
  ])
  late.abort()
  const isOurs = full !== undefined && firstLabel(full) === firstLabel(short)
  return isOurs ? full : short
}

/** Returns undefined when the resolver does not know the name or its address. */
async function resolvedName(name: string, resolver: HostResolver): Promise<string | undefined> {
  try {
    const { address } = await resolver.lookup(name)
    return (await resolver.lookupService(address, 0)).hostname
  } catch {
    // Every failure of the resolver has the same result: the short name is used.
    return undefined
  }
}

function firstLabel(name: string): string {
  return name.split('.')[0]!.toLowerCase()
}
