// The fully qualified name of the host, as its resolver (/etc/hosts, DNS) has it.

import { lookup, lookupService } from 'node:dns/promises'
import { hostname } from 'node:os'
import { type Clock, sleep } from './clock.ts'

/** A resolver whose server is away takes many seconds for each question. */
const timeoutMs = 2000

/** The short name when the resolver has no other, or does not answer soon. */
export async function fullHostName(clock: Clock): Promise<string> {
  const late = new AbortController()
  const name = await Promise.race([
    resolvedName(),
    sleep(clock, timeoutMs, late.signal).then(() => undefined),
  ])
  late.abort()
  return name ?? hostname()
}

/** Undefined when the name or the address behind it is unknown to the resolver. */
async function resolvedName(): Promise<string | undefined> {
  try {
    const { address } = await lookup(hostname())
    return (await lookupService(address, 0)).hostname
  } catch {
    // Every failure of the resolver comes to the same: there is no other name.
    return undefined
  }
}
