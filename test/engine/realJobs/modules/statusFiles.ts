// Writes the count of each HTTP status in a batch: to a file named after the batch, or to a
// database in one transaction with the batch id. A rerun batch writes the same counts again, so
// that the results are exact, whatever process is killed.

import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Job, job, sum, text } from 'millrace/engine'

/** Must take effect completely or not at all, and only once for each batch id. */
export type WriteCounts = (
  batchId: number,
  counts: readonly (readonly [status: string, count: number])[],
) => Promise<unknown>

export function statusCounts(write: WriteCounts): Job {
  return job('status-counts', (stream) => {
    stream
      .fromTopic('access', text())
      .map(({ line }) => [/" ([0-9]{3}) /.exec(line)?.[1] ?? 'unknown', 1] as const)
      .reduceByKey(sum)
      .foreachRDD(async (rdd, { batchId }) => {
        const counts = await rdd.collect()
        if (counts.length > 0) await write(batchId, counts)
      })
  })
}

const directory = process.env.STATUS_FILES ?? 'status-counts'

/** Writes a file by a rename, so that it is either complete or absent. */
const writeCountsFile: WriteCounts = async (batchId, counts) => {
  await mkdir(directory, { recursive: true })
  const path = join(directory, `batch-${batchId}.json`)
  await writeFile(`${path}.tmp`, JSON.stringify(counts))
  await rename(`${path}.tmp`, path)
}

export default statusCounts(writeCountsFile)
