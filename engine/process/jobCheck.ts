// Checks whether a changed job module can replace the running job: its types, its export, the graph
// that it builds, and whether that can continue the state. Runs in a separate thread, so that the
// running job keeps its code.

import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import { compareCode, jobChanged } from '../contract/codeChange.ts'
import { contractOf } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import { loadJob } from '../jobModule.ts'
import type { JobDescription } from '../lifecycle/runningJob.ts'
import { StreamGraph } from '../stream/streamGraph.ts'
import { requireTypes } from './typeCheck.ts'

/**
 * Returns whether the code differs from that of the job `running`: a file that was saved unchanged,
 * or changed only in its types, is no reason to stop a job. Rejects with an EngineError when the
 * module at `path` cannot continue the job. The states of uids in `discard` are discarded where
 * they cannot be continued.
 */
export async function checkJob(
  path: string,
  running: JobDescription,
  discard: readonly string[] | undefined,
): Promise<boolean> {
  await requireTypes(path)
  const { job, code } = await loadJob(nodeDisk, path)
  const { name, batchIntervalMs, directory, operators } = running
  if (code.version === running.code) return false
  if (job.name !== name) {
    throw new EngineError(
      'JOB_CHANGED',
      `job '${name}' was renamed to '${job.name}', which cannot continue in ${directory}; undo that, or submit ` +
        'it with a directory of its own',
    )
  }
  const change = compareCode({
    before: { operators },
    now: {
      code: code.version,
      operators: new StreamGraph(job, { batchIntervalMs }).operators.map(contractOf),
    },
    stateUids: operators.map(({ uid }) => uid),
    discard,
  })
  if (change.kind === 'refused') throw jobChanged(name, change.problems)
  return true
}
