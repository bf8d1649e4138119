// Opens the directory of a job: fills it from a savepoint if one is given, locks it for this
// process, prepares it for the current code, and opens its logs. Changes are logged. A job that
// cannot continue safely fails with JOB_CHANGED and changes nothing.

import { join } from 'node:path'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { CommitLog } from '../checkpoint/commitLog.ts'
import { OffsetLog } from '../checkpoint/offsetLog.ts'
import { type CodeChange, describeChange } from '../contract/codeChange.ts'
import type { StatefulOperator } from '../contract/statefulOperator.ts'
import { commitsFile, type JobDirectory, offsetsFile, takeDirectory } from '../jobDirectory.ts'
import { prepareDirectory } from '../savepoint/prepareDirectory.ts'
import { startFrom } from '../savepoint/startFrom.ts'
import { StateTransfer } from '../state/stateTransfer.ts'
import type { Job } from '../stream/job.ts'

export interface OpeningOptions {
  readonly runtime: Pick<Runtime, 'disk' | 'random'>
  readonly logger: Logger
  readonly directory: string
  readonly job: Pick<Job, 'name' | 'partitions'>
  /** Version of the code. */
  readonly code: string
  /** Operators with their codecs, which are needed to convert states of the first release. */
  readonly operators: readonly StatefulOperator[]
  /** The savepoint from which a new directory is filled. */
  readonly from?: string | undefined
  /** Uids whose state is discarded. */
  readonly discardState?: readonly string[] | undefined
  /** Reads and moves states; on LevelDB by default. */
  readonly states?: StateTransfer
}

export interface OpenedJob {
  readonly directory: JobDirectory
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
  readonly states: StateTransfer
}

/** The caller must close it (see closeJob). */
export async function openJob(options: OpeningOptions): Promise<OpenedJob> {
  const { runtime, logger, job, code, operators, from, discardState: discard } = options
  const { disk } = runtime
  const { states = new StateTransfer({ disk }) } = options
  const now = { code, operators }
  const log = { job: job.name, directory: options.directory }
  if (from !== undefined) {
    const { directory } = options
    const started = await startFrom({
      ...{ runtime, savepoint: from, directory, job, now, states, discard },
    })
    if (started.kind === 'started') {
      const { batchId } = started.savepoint.manifest.commit
      logger.info({ ...log, savepoint: from, batchId }, 'starting the job from a savepoint')
      logChange(logger, log, started.change)
    } else {
      const message =
        'the job was already started from this savepoint and continues where it stopped'
      logger.info({ ...log, savepoint: from }, message)
    }
  }
  const directory = await takeDirectory(runtime, options.directory, job)
  try {
    const { partitions } = job
    const prepared = await prepareDirectory({ disk, directory, partitions, now, states, discard })
    logChange(logger, log, prepared.change)
    if (prepared.reshaped) {
      logger.info({ ...log, ...prepared.reshaped }, 'redistributed the state over the partitions')
    }
    const offsetLog = await OffsetLog.open(disk, join(options.directory, offsetsFile))
    try {
      const commitLog = await CommitLog.open(disk, join(options.directory, commitsFile))
      return { directory, offsetLog, commitLog, states }
    } catch (error) {
      await offsetLog.close()
      throw error
    }
  } catch (error) {
    await directory.lock.release()
    throw error
  }
}

/** Releases the directory even if a log fails to close, and then throws the first error. */
export async function closeJob({ offsetLog, commitLog, directory }: OpenedJob): Promise<void> {
  const closed = await Promise.allSettled([offsetLog.close(), commitLog.close()])
  await directory.lock.release()
  for (const each of closed) if (each.status === 'rejected') throw each.reason
}

function logChange(logger: Logger, log: object, change: CodeChange): void {
  if (change.kind !== 'continue') return
  logger.info(
    { ...log, ...describeChange(change) },
    'the code of the job has changed; its state is continued',
  )
  if (change.removed.length === 0 && change.stale.length === 0) return
  const unused = [...change.removed, ...change.stale]
  logger.warn(
    { ...log, unused },
    'states of removed operators are no longer used; they are kept in the directory',
  )
}
