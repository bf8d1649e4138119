// A changed module may replace the running job only if the new code can continue the job's state.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contractOf } from '../../../engine/contract/statefulOperator.ts'
import { loadJob } from '../../../engine/jobModule.ts'
import type { JobDescription } from '../../../engine/lifecycle/runningJob.ts'
import { checkJob } from '../../../engine/process/jobCheck.ts'
import { StreamGraph } from '../../../engine/stream/streamGraph.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'

const words = join(import.meta.dirname, '../jobs/modules/words.ts')

async function runningWords(): Promise<JobDescription> {
  const { job } = await loadJob(nodeDisk, words)
  const operators = new StreamGraph(job, { batchIntervalMs: 100 }).operators.map(contractOf)
  return {
    ...{ name: 'words', instance: '0', directory: '/jobs/words', topics: ['words'] },
    ...{ batchIntervalMs: 100, partitions: 2 },
    code: 'of another version',
    operators: operators.map((operator) => ({ ...operator, partitions: 2 })),
  }
}

test('the same operators continue, also under another number of partitions', async () => {
  const running = await runningWords()
  expect(running.operators).toHaveLength(1)
  expect(await checkJob(words, { ...running, partitions: 5 }, undefined)).toBe(true)
}, 60_000)

test('the code of the running job is not a new version', async () => {
  const { code } = await loadJob(nodeDisk, words)
  const running = { ...(await runningWords()), code: code.version }
  expect(await checkJob(words, running, undefined)).toBe(false)
}, 60_000)

test('state of another codec is refused with the operator, unless it is discarded', async () => {
  const running = await runningWords()
  const [operator] = running.operators
  const named = { ...running, operators: [{ ...operator!, codec: 'other' }] }
  const refusal = { code: 'JOB_CHANGED', message: expect.stringContaining(operator!.uid) }
  await expect(checkJob(words, named, undefined)).rejects.toMatchObject(refusal)
  await checkJob(words, named, [operator!.uid])
}, 60_000)

test('a module with another name is another job', async () => {
  const running = { ...(await runningWords()), name: 'letters' }
  await expect(checkJob(words, running, undefined)).rejects.toMatchObject({
    code: 'JOB_CHANGED',
    message: expect.stringMatching(/job 'letters' was renamed to 'words'/),
  })
}, 60_000)
