// Starts a job from a savepoint: fills a new directory with its positions and states, from which
// the job then runs as usual. The job may have another name, other code (by the rules of
// codeChange), and another number of partitions.

import { join } from 'node:path'
import { makeDurableDirectory } from '../../protocol/runtime/disk/durableDirectory.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import { CommitLog } from '../checkpoint/commitLog.ts'
import { changeDirectory } from '../checkpoint/directoryChange.ts'
import { OffsetLog } from '../checkpoint/offsetLog.ts'
import { type CodeChange, type CodeOfNow, compareCode, jobChanged } from '../contract/codeChange.ts'
import { EngineError } from '../engineError.ts'
import {
  commitsFile,
  drawInstance,
  encodeOwner,
  type JobOwner,
  locked,
  offsetsFile,
  ownerFile,
  ownerFormat,
  readOwner,
  stateFolder,
} from '../jobDirectory.ts'
import type { Job } from '../stream/job.ts'
import { readLogs } from './jobLogs.ts'
import { ownedBy } from './prepareDirectory.ts'
import { openSavepoint, readState, type Savepoint } from './savepoint.ts'
import type { StateAccess } from './stateAccess.ts'

export interface StartFromOptions {
  readonly runtime: Pick<Runtime, 'disk' | 'random'>
  /** Path of the savepoint. */
  readonly savepoint: string
  /** Directory of the job, created if it does not exist. */
  readonly directory: string
  readonly job: Pick<Job, 'name' | 'partitions'>
  readonly now: CodeOfNow
  readonly states: Pick<StateAccess, 'importState'>
  /** Uids whose state the user discards. */
  readonly discard?: readonly string[] | undefined
}

export type StartedFrom =
  | {
      readonly kind: 'started'
      readonly savepoint: Savepoint
      readonly change: Exclude<CodeChange, { kind: 'refused' }>
    }
  /** The job was already started from this savepoint, and continues where it stopped. */
  | { readonly kind: 'continues' }

const newStateFolder = 'stateNew'

/**
 * Fills the directory. Everything is checked before anything is written, and the directory belongs
 * to the job only once it is complete. Rejects with SAVEPOINT_INVALID, with JOB_CHANGED, and when
 * the directory belongs to a job that has run.
 */
export async function startFrom(options: StartFromOptions): Promise<StartedFrom> {
  const { runtime, directory } = options
  const savepoint = await openSavepoint(runtime.disk, options.savepoint)
  const change = changeFrom(savepoint, options)
  await makeDurableDirectory(runtime.disk, directory)
  let release = async () => {}
  try {
    return await locked(runtime.disk, directory, async (lock) => {
      release = () => lock.release()
      if (await isStarted(options, savepoint)) return { kind: 'continues' }
      await fill(options, savepoint, change)
      return { kind: 'started', savepoint, change }
    })
  } finally {
    await release()
  }
}

function changeFrom({ manifest }: Savepoint, { job, now, discard }: StartFromOptions) {
  const stateUids = manifest.states.map(({ operator }) => operator.uid)
  const change = compareCode({ before: manifest.batches.at(-1), now, stateUids, discard })
  if (change.kind === 'refused') throw jobChanged(job.name, change.problems)
  return change
}

async function isStarted(options: StartFromOptions, { id }: Savepoint): Promise<boolean> {
  const { runtime, directory, job } = options
  const owner = await readOwner(runtime.disk, directory)
  if (owner === undefined) return false
  if (owner.name === job.name && owner.startedFrom === id) return true
  const { batches } = await readLogs(runtime.disk, directory)
  if (owner.name === job.name && batches.length === 0) return false
  throw new EngineError(
    'JOB_OPTION_INVALID',
    `${directory} belongs to job '${owner.name}', which has already run; start from the savepoint in a new ` +
      'directory, or remove this one',
  )
}

async function fill(
  { runtime, savepoint: path, directory, job, now, states }: StartFromOptions,
  { id, manifest }: Savepoint,
  change: Exclude<CodeChange, { kind: 'refused' }>,
): Promise<void> {
  const { disk, random } = runtime
  const { batches, commit } = manifest
  const folder = join(directory, newStateFolder)
  await disk.remove(folder)
  await disk.remove(join(directory, stateFolder))
  await disk.makeDirectory(folder)
  const uids: string[] = []
  for (const saved of manifest.states) {
    const uid = uidNow(saved.operator.uid, now, change)
    if (uid === undefined) continue
    uids.push(uid)
    const chunks = readState(disk, path, saved)
    await states.importState(join(folder, uid), job.partitions, commit.batchId, chunks)
  }
  await disk.syncDirectory(folder)
  await disk.syncDirectory(directory)
  const { name, partitions } = job
  const instance = drawInstance(random)
  const owner: JobOwner = {
    formatVersion: ownerFormat,
    name,
    partitions,
    instance,
    startedFrom: id,
  }
  await changeDirectory(disk, directory, {
    files: {
      [offsetsFile]: OffsetLog.encode(ownedBy(batches, now)),
      [commitsFile]: CommitLog.encode([{ ...commit, states: uids.sort() }]),
      [ownerFile]: encodeOwner(owner),
    },
    renames: [{ from: newStateFolder, to: stateFolder }],
  })
}

/** The uid under which a saved state continues; undefined when no operator uses it any more. */
function uidNow(
  uid: string,
  { operators }: CodeOfNow,
  change: Exclude<CodeChange, { kind: 'refused' }>,
): string | undefined {
  if (change.kind === 'same') return uid
  const moved = change.moved.find(({ from }) => from === uid)
  if (moved !== undefined) return moved.to
  const isUsed = operators.some((operator) => operator.uid === uid)
  return isUsed && !change.stale.includes(uid) ? uid : undefined
}
