// Whole jobs that skip records that fail, and continue after a loss of records.

import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { counted, JobBroker } from './jobBroker.ts'
import { withoutCommits } from './withoutCommits.ts'

const module = join(import.meta.dirname, 'modules', 'lenientWords.ts')
let broker: JobBroker

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(1)
})

afterEach(() => broker.stop())

async function removeBefore(offset: number): Promise<void> {
  const connection = await broker.cluster.leader('words', 0)
  const topics = [{ name: 'words', partitions: [{ partitionIndex: 0, offset }] }]
  await connection.send(deleteRecords, { topics, timeoutMs: 10_000 })
}

test.each([0, 2])(
  'a malformed record is skipped, with %d executors',
  async (executors) => {
    await broker.produce(['a', 'bad', 'b', 'bad', 'a'])
    const job = await broker.submit(module, { executors })
    const { views, recordsTotal } = await counted(job, 5)
    expect(recordsTotal).toBe(5)
    expect(views[0]!.rows).toEqual([
      ['a', 2],
      ['b', 1],
    ])
  },
  60_000,
)

test('only the records removed while the job is down are skipped', async () => {
  await broker.produce(['a', 'a'])
  const first = await broker.submit(module, { executors: 0 })
  await counted(first, 2)
  await first.stop()
  await broker.produce(['lost', 'lost', 'b'])
  await removeBefore(4)
  const second = await broker.submit(module, { executors: 0 })
  const { views } = await counted(second, 3)
  expect(views[0]!.rows).toEqual([
    ['a', 2],
    ['b', 1],
  ])
}, 60_000)

describe('a job with a window that died in a batch after its output had begun', () => {
  const windowed = join(import.meta.dirname, 'modules', 'windowedWords.ts')

  test.each([
    [
      'records of earlier batches',
      2,
      [
        ['b', 1],
        ['c', 1],
      ],
    ],
    ['records of earlier batches and of its own', 3, [['c', 1]]],
  ])(
    'continues without %s after they are removed',
    async (_what, first, rows) => {
      await broker.produce(['a', 'a'])
      const one = await broker.submit(windowed, { executors: 0 })
      await counted(one, 2)
      await one.stop()
      await broker.produce(['b'])
      const runtime = nodeRuntime(tcpNetwork)
      const disk = withoutCommits(runtime.disk)
      const two = await broker.submit(windowed, { executors: 0, runtime: { ...runtime, disk } })
      await expect(two.finished).rejects.toThrow('the process dies here')
      await removeBefore(first)
      await broker.produce(['c'])
      const three = await broker.submit(windowed, { executors: 0 })
      const { views } = await counted(three, first === 2 ? 4 : 3)
      expect(views[0]!.rows).toEqual(rows)
    },
    60_000,
  )
})
