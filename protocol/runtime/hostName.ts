// The fully qualified name of the host, as its resolver (/etc/hosts, DNS) has it.

import { lookup, lookupService } from 'node:dns/promises'
import { hostname } from 'node:os'
import { type Clock, sleep } from './clock.ts'

/** What is asked for names and addresses; the system's unless given. */
export interface HostResolver {
  readonly hostname: () => string
  readonly lookup: (name: string) => Promise<{ address: string }>
  readonly lookupService: (address: string, port: number) => Promise<{ hostname: string }>
}

/** A resolver whose server is away takes many seconds for each question. */
const timeoutMs = 2000

/**
 * The short name when the resolver has no other, does not answer soon, or has another host's: many
 * hosts give their own name the address of `localhost`.
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

/** Undefined when the name or the address behind it is unknown to the resolver. */
async function resolvedName(name: string, resolver: HostResolver): Promise<string | undefined> {
  try {
    const { address } = await resolver.lookup(name)
    return (await resolver.lookupService(address, 0)).hostname
  } catch {
    // Every failure of the resolver comes to the same: there is no other name.
    return undefined
  }
}

function firstLabel(name: string): string {
  return name.split('.')[0]!.toLowerCase()
}
