// Faults that strike together: a broker is stopped while its disk is slow, and a data directory
// fails before it has closed its files.

import type { Random } from '../../../../protocol/runtime/random.ts'
import type { Fault } from '../../plan/faults.ts'
import { chance, oneOf, whole } from '../../plan/swarm.ts'
import { brokerProcess } from './brokerProgram.ts'

/** None in most seeds. */
export function drawFailingStop(
  random: Random,
  hosts: readonly string[],
  safetyMs: number,
): Fault[] {
  if (!chance(random, 0.15)) return []
  const host = oneOf(random, hosts)
  const atMs = Math.round(random.float() * safetyMs)
  const failedMs = atMs + whole(random, 0, oneOf(random, [2, 20, 100]))
  const factor = oneOf(random, [10, 100, 1000])
  return [
    { kind: 'slowDisk', at: { atMs }, host, factor, forMs: whole(random, 10, 200) },
    { kind: 'stop', at: { atMs: atMs + 1 }, host, process: brokerProcess, downMs: 10 },
    { kind: 'failCall', at: { atMs: failedMs }, host, code: 'EIO', after: random.below(4) },
  ]
}
