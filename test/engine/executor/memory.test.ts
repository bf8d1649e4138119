// Executors with limited memory: an executor that runs out of memory dies alone, and its batch is
// split until it fits. A record that does not fit at all fails the job with an error.

import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemoryLogger } from '../../memoryLogger.ts'
import { counted, JobBroker } from '../jobs/jobBroker.ts'

const hungry = join(import.meta.dirname, 'jobs', 'hungry.ts')
const youngGeneration = join(import.meta.dirname, 'jobs', 'youngGeneration.ts')
let broker: JobBroker

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(1)
})

afterEach(() => broker.stop())

test('a batch that kills an executor for lack of memory is split, and every line counts once', async () => {
  // Each line becomes 40,000 numbers of 320 kB in total, so 400 lines take 128 MB.
  await broker.produce(new Array(400).fill('x'))
  const logger = new MemoryLogger()
  const job = await broker.submit(hungry, { executors: 1, executorMemoryMb: 64, logger })
  const { views } = await counted(job, 400)
  expect(views[0]!.rows).toEqual([['line', 400]])
  const splits = logger.lines.filter(({ message }) => message.startsWith('the batch is too large'))
  expect(splits.length).toBeGreaterThan(0)
  expect(splits[0]!.fields).toMatchObject({
    batchId: 0,
    offsets: { before: 400, now: 200 },
    reason: expect.stringMatching(/lost its executor 2 times.*ran out of memory of 64 MB/),
  })
}, 60_000)

test.each([undefined, 64])(
  'the young generation is limited, with %s MB of memory as well',
  async (executorMemoryMb) => {
    await broker.produce(['x'])
    const memory = executorMemoryMb === undefined ? {} : { executorMemoryMb }
    const job = await broker.submit(youngGeneration, { executors: 1, ...memory })
    expect((await counted(job, 1)).views[0]!.rows).toEqual([['48', 1]])
  },
  60_000,
)
