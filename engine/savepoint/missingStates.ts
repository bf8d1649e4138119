// Finds states that committed batches have changed and that no longer exist in the job's directory:
// they were removed, or only part of a copy was restored. Without this check a store would be
// created anew, and the job would continue with an empty state.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { Commit } from '../checkpoint/commitLog.ts'
import { EngineError } from '../engineError.ts'
import { stateFolder } from '../jobDirectory.ts'

export interface MissingState {
  readonly uid: string
  /** Path of the first missing directory, within the job's directory. */
  readonly folder: string
}

/**
 * Checks that each partition of each state has a directory that is not empty. `directory` is the
 * job's.
 */
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
    `the state of job '${job}' is incomplete: ${folders} in ${directory} is missing or empty. ` +
      'Restore a copy of the whole directory; or start from a savepoint, in a new ' +
      'directory (job submit --from); or reset all state and read the topics again (job rewind --reset-state); ' +
      `or discard the missing states, whose operators then start empty (--discard-state ${uids})`,
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
