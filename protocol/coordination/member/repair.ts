// The content of a repaired log: everything that one process has folded, as the first snapshot of
// the next generation. Zxids of the new generation are above all earlier ones, also above those of
// entries that the chosen process never saw: fencing epochs stay unique.

import { type Random, randomUuid, uuidText } from '../../runtime/random.ts'
import { Chain } from '../log/chain.ts'
import type { LogHistory } from '../log/coordinationLog.ts'
import { Replica } from './replica.ts'

/**
 * `chosen`: what a process kept (log/localCopy.ts). Throws a CoordinationError if it is damaged.
 */
export function repairedHistory(chosen: LogHistory, random: Random): LogHistory {
  const { state, identity: old } = new Replica(chosen, () => {})
  const identity = { generation: old.generation + 1, id: uuidText(randomUuid(random)) }
  state.beginGeneration(identity.generation)
  const bytes = new Chain(identity).frameSnapshot(state.snapshot())
  return { identity, snapshot: { sequence: 0, bytes }, entries: [], lastSequence: 0 }
}
