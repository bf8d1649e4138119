// Repairs a log on NATS: makes its next generation from what a process kept (member/repair.ts folds
// it into one snapshot). The snapshot is stored first; the creation of the generation's stream is
// what decides, so of two repairs at the same time only one succeeds, and a repair that was cut
// short has no effect. The old stream is sealed and kept for inspection; members notice the new
// one.

import type { StreamConfig } from '@nats-io/jetstream'
import { assert } from '../../../runtime/assert.ts'
import type { Random } from '../../../runtime/random.ts'
import { randomUuid, uuidText } from '../../../runtime/random.ts'
import { CoordinationError } from '../../coordinationError.ts'
import type { LogHistory } from '../coordinationLog.ts'
import { createEntries, newestGeneration } from './natsEntries.ts'
import type { NatsLink } from './natsLink.ts'
import { NatsSnapshots } from './natsSnapshots.ts'
import { checkLogName, entriesStreamName, subjects } from './natsStreams.ts'

export interface RepairTarget {
  readonly link: NatsLink
  readonly name: string
  readonly replicas: number
  readonly random: Random
}

export interface NatsRepair {
  readonly stream: string
  /** The stream of the generation before; undefined if it does not exist any more. */
  readonly oldStream: string | undefined
  /**
   * Whether nobody can append to the old stream any more. If not, members that do not hear of the
   * repair may do so for some seconds, in vain.
   */
  readonly isOldSealed: boolean
}

/** `history`: the first one of the new generation. */
export async function repairNatsLog(
  { link, name, replicas, random }: RepairTarget,
  history: LogHistory,
): Promise<NatsRepair> {
  checkLogName(name)
  const { identity, snapshot } = history
  assert(snapshot?.sequence === 0 && history.entries.length === 0, 'a repair is one snapshot')
  const old = await newestGeneration(link, name)
  if (old !== undefined && old.identity.generation >= identity.generation) {
    throw alreadyRepaired(name, old.identity.generation)
  }
  const snapshots = new NatsSnapshots(link, name, replicas)
  await snapshots.create()
  await snapshots.write(identity.id, snapshot, uuidText(randomUuid(random)))
  if (!(await createEntries(link, name, identity, replicas))) {
    await snapshots.remove(identity.id)
    throw alreadyRepaired(name, identity.generation)
  }
  const isOldSealed = old === undefined || old.isSealed || (await seal(link, old.stream))
  link.publish(subjects.generations(name), Buffer.from(`${identity.generation}`))
  const stream = entriesStreamName(name, identity.generation)
  return { stream, oldStream: old?.stream, isOldSealed }
}

/** The old stream may be damaged so far that it cannot be changed; that must not stop a repair. */
async function seal(link: NatsLink, stream: string): Promise<boolean> {
  const change: Partial<StreamConfig> = { sealed: true }
  try {
    await link.api('seal the old stream', (streams) => streams.update(stream, change))
    return true
  } catch (error) {
    if (!(error instanceof CoordinationError)) throw error
    return false
  }
}

function alreadyRepaired(name: string, generation: number): CoordinationError {
  return new CoordinationError(
    'COORDINATION_REFUSED',
    `generation ${generation} of the coordination log ${name} exists already: somebody else has ` +
      'repaired it; restart or wait for the members to load it',
  )
}
