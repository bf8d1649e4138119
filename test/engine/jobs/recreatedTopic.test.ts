// A topic that is deleted and created again under the same name is a different topic, whatever its
// offsets: a job that has read the first topic fails with an error, and never adds records of the
// second topic to its counts.

import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OffsetLog } from '../../../engine/checkpoint/offsetLog.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { eventually } from '../../interop/eventually.ts'
import { counted, JobBroker } from './jobBroker.ts'

const words = join(import.meta.dirname, 'modules', 'words.ts')
let broker: JobBroker

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(1)
})

afterEach(() => broker.stop())

async function topicId(): Promise<string> {
  const [topic] = await new Admin(broker.cluster).describeTopics(['words'])
  return topic!.topicId
}

/**
 * Creates the topic again with more records than before, so that the offsets do not reveal the
 * change.
 */
async function recreate(): Promise<{ before: string; after: string }> {
  const before = await topicId()
  const admin = new Admin(broker.cluster)
  await admin.deleteTopics(['words'])
  await eventually('the name is free', () =>
    broker.createTopic(1).then(
      () => true,
      () => false,
    ),
  )
  await broker.produce(['new', 'new', 'new', 'new'])
  return { before, after: await topicId() }
}

function whatHappened(before: string, after: string): RegExp {
  return new RegExp(
    `topic words with id ${before} was deleted.* now has id ${after}.*new directory`,
  )
}

test('a topic recreated while the job runs fails the job', async () => {
  await broker.produce(['old', 'old'])
  const job = await broker.submit(words)
  await counted(job, 2)
  const { before, after } = await recreate()
  await expect(job.finished).rejects.toMatchObject({ code: 'TOPIC_RECREATED' })
  const status = job.status()
  expect(status.error).toMatch(whatHappened(before, after))
  expect(status).toMatchObject({ state: 'failed', recordsTotal: 2 })
  expect(status.views[0]!.rows).toEqual([['old', 2]])
}, 60_000)

test('a topic recreated while the job is stopped fails the job at its next start', async () => {
  await broker.produce(['old', 'old'])
  const first = await broker.submit(words)
  await counted(first, 2)
  await first.stop()
  const { before, after } = await recreate()
  const second = await broker.submit(words)
  await expect(second.finished).rejects.toThrow(whatHappened(before, after))
}, 60_000)

test('a topic recreated between the plan of a batch and its run is not read: the batch belongs to the first topic', async () => {
  await broker.produce(['old', 'old'])
  const before = await topicId()
  const offsets = await OffsetLog.open(nodeDisk, join(broker.directory, 'checkpoint', 'offsets'))
  const range = { topic: 'words', partition: 0, from: 0, until: 2 }
  const ranges = [{ ...range, topicId: before, isolation: 'committed' as const }]
  await offsets.append({ batchId: 0, timeMs: 1000, ranges })
  await offsets.close()
  const { after } = await recreate()
  const job = await broker.submit(words)
  await expect(job.finished).rejects.toThrow(whatHappened(before, after))
}, 60_000)

test('a job whose offset log has no topic ids continues, and records the ids', async () => {
  await broker.produce(['a', 'b', 'b'])
  const path = join(broker.directory, 'checkpoint', 'offsets')
  const offsets = await OffsetLog.open(nodeDisk, path)
  const range = { topic: 'words', partition: 0, from: 0, until: 1 }
  await offsets.append({ batchId: 0, timeMs: 1000, ranges: [range], recordsTotal: 1 })
  await offsets.close()
  const job = await broker.submit(words)
  const { views, recordsTotal } = await counted(job, 3)
  expect(views[0]!.rows).toEqual([
    ['a', 1],
    ['b', 2],
  ])
  expect(recordsTotal).toBe(3)
  await job.stop()
  const after = await OffsetLog.open(nodeDisk, path)
  expect(after.latest()!.ranges[0]).toMatchObject({
    topicId: await topicId(),
    isolation: 'committed',
  })
  await after.close()
}, 60_000)
