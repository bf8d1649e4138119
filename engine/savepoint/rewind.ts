// Sets the positions of a stopped job in one durable step: after a crash the job is either
// unchanged or rewound.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { CommitLog } from '../checkpoint/commitLog.ts'
import { changeDirectory, discarded } from '../checkpoint/directoryChange.ts'
import { OffsetLog, type OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import { commitsFile, offsetsFile, stateFolder, takeStopped } from '../jobDirectory.ts'
import type { OffsetRange } from '../sources/scan.ts'
import { type JobLogs, readLogs } from './jobLogs.ts'
import {
  type Position,
  planRewind,
  type RewindOptions,
  type RewindPlan,
  type RewindTarget,
} from './rewindPlan.ts'
import type { StateAccess } from './stateAccess.ts'

export interface RewindJobOptions extends RewindOptions {
  readonly disk: Disk
  /** Directory of the job. */
  readonly directory: string
  readonly target: RewindTarget | ResolvedTarget
  readonly states: Pick<StateAccess, 'isNew'>
}

/** Positions that depend on where the job is, or on the current topics (see positions). */
export interface ResolvedTarget {
  readonly kind: 'resolved'
  /** `ranges`: those of the newest planned batch. */
  resolve(ranges: readonly OffsetRange[]): Promise<readonly Position[]>
}

/** Rejects while the job runs, and with JOB_OPTION_INVALID when the target cannot be reached. */
export async function rewindJob(options: RewindJobOptions): Promise<RewindPlan> {
  const { disk, directory, target, states } = options
  const { lock, owner } = await takeStopped(disk, directory)
  try {
    const logs = await readLogs(disk, directory)
    const plan = planRewind(logs, await resolved(target, logs), options)
    if (plan.kind === 'undo') {
      for (const { uid } of plan.batches.at(-1)!.operators ?? []) {
        const folder = join(directory, stateFolder, uid)
        await requireUndoable(states, folder, owner.partitions, plan.batchId)
      }
    }
    await apply(disk, directory, plan)
    return plan
  } finally {
    await lock.release()
  }
}

async function resolved(
  target: RewindTarget | ResolvedTarget,
  { batches }: JobLogs,
): Promise<RewindTarget> {
  if (target.kind !== 'resolved') return target
  return { kind: 'offsets', positions: await target.resolve(batches.at(-1)?.ranges ?? []) }
}

/**
 * A state that was just imported, by a change of partitions or from a savepoint, has no undo
 * records yet.
 */
async function requireUndoable(
  states: Pick<StateAccess, 'isNew'>,
  directory: string,
  partitions: number,
  batchId: number,
): Promise<void> {
  try {
    await states.isNew(directory, partitions, batchId)
  } catch (cause) {
    throw new EngineError(
      'JOB_OPTION_INVALID',
      `cannot rewind: the state in ${directory} cannot be rolled back to batch ${batchId}; reset the state and start ` +
        'from there (--reset-state), or start from a savepoint (job submit --from)',
      cause,
    )
  }
}

async function apply(disk: Disk, directory: string, plan: RewindPlan): Promise<void> {
  if (plan.kind === 'keep') return await putEntry(disk, directory, plan)
  const renames =
    plan.kind === 'reset' ? [{ from: stateFolder, to: join(discarded, stateFolder) }] : []
  await changeDirectory(disk, directory, {
    files: {
      [offsetsFile]: OffsetLog.encode(plan.batches),
      [commitsFile]: CommitLog.encode(plan.commits),
    },
    renames,
  })
}

async function putEntry(
  disk: Disk,
  directory: string,
  { entry, supersedes }: { readonly entry: OffsetLogEntry; readonly supersedes: boolean },
): Promise<void> {
  const log = await OffsetLog.open(disk, join(directory, offsetsFile))
  try {
    if (supersedes) await log.supersede(entry)
    else await log.append(entry)
  } finally {
    await log.close()
  }
}
