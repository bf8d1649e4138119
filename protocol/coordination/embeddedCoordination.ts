// Coordination inside one process: the log is kept in a directory of this process, and its members
// are the process itself and its worker threads. Nothing else can change the tree.

import type { Runtime } from '../runtime/runtime.ts'
import type { OpenKeyValueStore } from '../runtime/store/keyValueStore.ts'
import type { Logger } from '../telemetry/logging/logger.ts'
import type { Coordination } from './coordination.ts'
import { openLevelLog } from './log/levelLog.ts'
import { openMember } from './member/member.ts'

export interface EmbeddedOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'scheduler' | 'rarePoints'>
  readonly logger: Logger
  /** A directory of its own, inside the data directory. */
  readonly directory: string
  /** Frees space for a write that found none; resolves with false if there is none to free. */
  readonly makeRoom: () => Promise<boolean>
  /** Who this is, for messages of other members. */
  readonly name: string
  /** LevelDB unless given. */
  readonly openStore?: OpenKeyValueStore | undefined
}

/** Replayed at a start, at most, with those that were appended since. */
const snapshotEntries = 2000
/** A failed write is answered at once; this is for a disk that hangs. */
const requestTimeoutMs = 10_000

/**
 * Opens or creates the log. Rejects with a DirectoryInUseError for the data directory, or with a
 * CoordinationError.
 */
export async function openEmbeddedCoordination(options: EmbeddedOptions): Promise<Coordination> {
  const { runtime, logger, directory, makeRoom, name, openStore } = options
  const { clock, scheduler, rarePoints } = runtime
  const random = runtime.random.fork('coordination')
  const log = await openLevelLog({ directory, makeRoom, clock, random }, openStore)
  try {
    return await openMember({
      ...{ log: log.open(name), clock, scheduler, random, logger, name },
      ...{ snapshotEntries, requestTimeoutMs, rarePoints, onClosed: () => log.close() },
    })
  } catch (error) {
    await log.close()
    throw error
  }
}
