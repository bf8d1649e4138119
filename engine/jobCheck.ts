// Whether a changed job module could take the place of the job that runs: its types, what it exports, the
// graph that it builds, and whether that can continue the state. Runs in a thread of its own, so that the
// job that runs keeps the code that it has.

import { nodeDisk } from '../protocol/runtime/nodeDisk.ts'
import { EngineError } from './engineError.ts'
import { loadJob } from './jobModule.ts'
import type { JobDescription } from './runningJob.ts'
import { StreamGraph } from './stream/streamGraph.ts'
import { requireTypes } from './typeCheck.ts'

/** Fails with an EngineError that says why the module at `path` cannot continue the job `running`. */
export async function checkJob(path: string, running: JobDescription): Promise<void> {
  await requireTypes(path)
  const { job } = await loadJob(nodeDisk, path)
  const { name, partitions, batchIntervalMs, directory } = running
  if (job.name !== name || job.partitions !== partitions) {
    throw new EngineError(
      'JOB_CHANGED',
      `job '${name}' with ${partitions} partitions has become job '${job.name}' with ${job.partitions}, ` +
        `which cannot go on in ${directory}: undo that, or submit it with a directory of its own`,
    )
  }
  new StreamGraph(job, { batchIntervalMs })
}
