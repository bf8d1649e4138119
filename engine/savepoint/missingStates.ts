// States that committed batches have changed and that are not in the job's directory any more: somebody has
// removed them, or put back a part of a copy. A store would be created anew, and the job would count on from nothing.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk.ts'
import type { Commit } from '../checkpoint/commitLog.ts'
import { EngineError } from '../engineError.ts'
import { stateFolder } from '../jobDirectory.ts'

export interface MissingState {
  readonly uid: string
  /** The first one that is missing, within the job's directory. */
  readonly folder: string
}

/** Looks for a folder with something in it for each partition of each state. `directory` is the job's. */
export async function missingStates(
  disk: Disk,
  directory: string,
  partitions: number,
  commit: Commit | undefined,
): Promise<MissingState[]> {
  const missing: MissingState[] = []
  for (const uid of commit?.states ?? []) {
    const folder = await firstMissing(disk, directory, uid, partitions)
    if (folder !== undefined) missing.push({ uid, folder })
  }
  return missing
}

export function stateMissing(
  job: string,
  directory: string,
  missing: readonly MissingState[],
): EngineError {
  const uids = missing.map(({ uid }) => uid).join(',')
  const folders = missing.map(({ folder }) => folder).join(', ')
  return new EngineError(
    'STATE_MISSING',
    `the state of job '${job}' is not whole: ${folders} of ${directory} is missing or empty, and the job would ` +
      'count on from nothing. Put back a copy of the whole directory; or start from a savepoint, in a new ' +
      'directory (job submit --from); or empty all state and read the topics again (job rewind --reset-state); ' +
      `or give up what is missing, whose operators start empty (--discard-state ${uids})`,
  )
}

async function firstMissing(
  disk: Disk,
  directory: string,
  uid: string,
  partitions: number,
): Promise<string | undefined> {
  for (let partition = 0; partition < partitions; partition++) {
    const folder = join(stateFolder, uid, String(partition))
    const path = join(directory, folder)
    const isThere = (await disk.stat(path)) !== undefined && (await disk.list(path)).length > 0
    if (!isThere) return folder
  }
  return undefined
}
