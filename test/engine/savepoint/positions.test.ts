// Positions in the topics of a broker, for rewinding a job.

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  everywhere,
  type PositionRequest,
  positionsOf,
} from '../../../engine/savepoint/positions.ts'
import { rewindJob } from '../../../engine/savepoint/rewind.ts'
import { StateTransfer } from '../../../engine/state/stateTransfer.ts'
import { nodeDisk as disk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { counted, JobBroker } from '../jobs/jobBroker.ts'

const states = new StateTransfer({ disk })
let broker: JobBroker

beforeAll(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(1)
  await broker.produce(['a', 'b', 'c', 'd'])
})

afterAll(() => broker.stop())

async function offsetAt(at: PositionRequest['at']): Promise<number> {
  const [position] = await positionsOf(broker.cluster, [{ topic: 'words', at }])
  expect(position).toMatchObject({ topic: 'words', partition: 0, topicId: expect.any(String) })
  return position!.offset
}

test('a position is the beginning, the end, an offset or a time', async () => {
  expect(await offsetAt('earliest')).toBe(0)
  expect(await offsetAt('latest')).toBe(4)
  expect(await offsetAt(2)).toBe(2)
  expect(await offsetAt({ timeMs: 0 })).toBe(0)
  expect(await offsetAt({ timeMs: 8_000_000_000_000 })).toBe(4)
})

test.each<[PositionRequest, string]>([
  [{ topic: 'words', at: 5 }, 'words-0 has no offset 5; its log has offsets 0 to 4'],
  [{ topic: 'words', partition: 3, at: 0 }, 'words-3 does not exist'],
])('%j is refused', async (request, message) => {
  await expect(positionsOf(broker.cluster, [request])).rejects.toMatchObject({
    code: 'JOB_OPTION_INVALID',
    message: expect.stringContaining(message),
  })
})

test('a job rewound to a time with its state reset counts only records from that time on', async () => {
  const module = new URL('../jobs/modules/words.ts', import.meta.url).pathname
  const job = await broker.submit(module, { executors: 0 })
  await counted(job, 4)
  await job.stop()
  const { cluster, directory } = broker
  const target = {
    kind: 'resolved',
    resolve: (ranges: Parameters<typeof everywhere>[0]) =>
      positionsOf(cluster, everywhere(ranges, { timeMs: 0 })),
  } as const
  await rewindJob({ disk, directory, target, states, resetState: true })
  const again = await broker.submit(module, { executors: 0 })
  const { views } = await counted(again, 4)
  expect(views[0]!.rows).toEqual([
    ['a', 1],
    ['b', 1],
    ['c', 1],
    ['d', 1],
  ])
  await again.stop()
})
