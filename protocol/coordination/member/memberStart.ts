// How a member begins: with the log as it was loaded, compared with what the process has kept of it
// on its own disk. A log that lost what was kept is damaged; the member begins with what was kept.

import type { OpenKeyValueStore } from '../../runtime/store/keyValueStore.ts'
import type { Clock } from '../../runtime/time/clock.ts'
import type { Logger } from '../../telemetry/logging/logger.ts'
import { CoordinationError } from '../coordinationError.ts'
import { chainOf } from '../log/chain.ts'
import type { LogHistory } from '../log/coordinationLog.ts'
import { copyProblem, type FoldedState, LocalCopy } from '../log/localCopy.ts'
import { damaged } from './problems.ts'
import { Replica } from './replica.ts'

/** Where a member of a shared log keeps a copy of it, for a repair (log/localCopy.ts). */
export interface CopyOptions {
  readonly directory: string
  /** LevelDB unless given. */
  readonly openStore?: OpenKeyValueStore | undefined
}

export interface CopyingMember {
  readonly clock: Clock
  readonly logger: Logger
  readonly copy?: CopyOptions | undefined
}

export interface Start {
  readonly replica: Replica
  /** The damage with which the member begins. */
  readonly problem: CoordinationError | undefined
}

/** Returns the copy that the member keeps; undefined if it keeps none. */
export function openCopy(
  { clock, logger, copy }: CopyingMember,
  folded: () => FoldedState,
): LocalCopy | undefined {
  if (copy === undefined) return undefined
  const { directory, openStore } = copy
  const onProblem = (error: Error | undefined) => {
    if (error) logger.warn({ error, directory }, 'failed to keep a copy of the coordination log')
    else logger.info({ directory }, 'the copy of the coordination log is kept again')
  }
  return new LocalCopy({ directory, clock, folded, onProblem }, openStore)
}

/** Closes the copy if the log cannot be folded and nothing was kept, before it rejects. */
export async function startOf(
  history: LogHistory,
  copy: LocalCopy | undefined,
  onSessionsEnded: (sessions: readonly string[]) => void,
): Promise<Start> {
  const kept = await copy?.load()
  const lost = kept && copyProblem(kept, history)
  if (kept && lost) return { replica: new Replica(kept, onSessionsEnded), problem: damaged(lost) }
  try {
    const replica = new Replica(history, onSessionsEnded)
    if (kept) requireSameBranch(replica, kept)
    return { replica, problem: undefined }
  } catch (error) {
    if (!kept || !(error instanceof CoordinationError)) {
      await copy?.close()
      throw error
    }
    return { replica: new Replica(kept, onSessionsEnded), problem: error }
  }
}

/** The entry that was kept last may be behind a snapshot of the log. */
function requireSameBranch(replica: Replica, kept: LogHistory): void {
  const end = chainOf(kept)
  if ('fault' in end || !replica.isOtherThan(end.position(''))) return
  throw damaged(`entry ${end.sequence} is another one than this process has kept`)
}
