// Whole jobs with a dead letter topic: each malformed record is written once, even when the process
// dies after the dead letters are written and before the commit of their batch.

import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Admin } from '../../../protocol/client/admin.ts'
import { PartitionReader } from '../../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { type Record, records } from '../../../protocol/kafka/records/recordCursor.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { counted, JobBroker } from './jobBroker.ts'
import { withoutCommits } from './withoutCommits.ts'

const module = join(import.meta.dirname, 'modules', 'deadWords.ts')
const runtime = nodeRuntime(tcpNetwork)
let broker: JobBroker

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(2)
})

afterEach(() => broker.stop())

async function createDeadWords(): Promise<void> {
  await new Admin(broker.cluster).createTopics([{ name: 'dead-words', partitions: 2 }])
}

async function letters(): Promise<Record[]> {
  const found: Record[] = []
  for (const partition of [0, 1]) {
    const reader = new PartitionReader(broker.cluster, { topic: 'dead-words', partition })
    const until = await reader.latest()
    for (let offset = 0; offset < until; ) {
      const { batches, nextOffset } = await reader.fetch(offset)
      for (const batch of splitBatches(batches)) found.push(...records(batch, 1e8))
      offset = nextOffset
    }
    reader.close()
  }
  return found
}

function values(found: readonly Record[]): string[] {
  return found.map(({ value }) => value!.toString()).sort()
}

test.each([0, 2])(
  'a malformed record is written to the dead letter topic, with %d executors',
  async (executors) => {
    await createDeadWords()
    await broker.produce(['a', 'bad one', 'b', 'a'])
    const job = await broker.submit(module, { executors })
    const { views } = await counted(job, 4)
    expect(views[0]!.rows).toEqual([
      ['a', 2],
      ['b', 1],
    ])
    const found = await letters()
    expect(values(found)).toEqual(['bad one'])
    const headers = Object.fromEntries(
      found[0]!.headers.map(({ key, value }) => [key, value!.toString()]),
    )
    expect(headers).toMatchObject({ 'millrace.job': 'dead-words', 'millrace.topic': 'words' })
    expect(headers['millrace.error']).toMatch(
      /^Error: a bad word \(.*deadWords\.ts:\d+:\d+\) at words-/,
    )
  },
  60_000,
)

test('each malformed record is written once when the process repeatedly dies before the commit', async () => {
  await createDeadWords()
  await broker.produce(['a', 'bad 1', 'bad 2', 'b'])
  for (let life = 0; life < 3; life++) {
    const disk = withoutCommits(runtime.disk)
    const job = await broker.submit(module, { executors: 0, runtime: { ...runtime, disk } })
    await expect(job.finished).rejects.toThrow('the process dies here')
    expect(values(await letters())).toEqual(['bad 1', 'bad 2'])
  }
  const job = await broker.submit(module, { executors: 0 })
  await counted(job, 4)
  await broker.produce(['bad 3', 'a'])
  const { views } = await counted(job, 6)
  expect(views[0]!.rows).toEqual([
    ['a', 2],
    ['b', 1],
  ])
  expect(values(await letters())).toEqual(['bad 1', 'bad 2', 'bad 3'])
}, 60_000)

test('words that a window reads again are written once, even if they were skipped before', async () => {
  await createDeadWords()
  await broker.produce(['a', 'bad 1'])
  const modules = ['skippingWindow', 'deadWindow', 'deadWindow', 'deadWindow']
  for (const [life, name] of modules.entries()) {
    const path = join(import.meta.dirname, 'modules', `${name}.ts`)
    const job = await broker.submit(path, { executors: 0 })
    await counted(job, life + 2)
    await job.stop()
    if (life > 0) expect(values(await letters())).toEqual(['bad 1'])
    await broker.produce(['b'])
  }
}, 60_000)

test('a job whose dead letter topic does not exist does not start', async () => {
  const starting = broker.submit(module, { executors: 0 })
  await expect(starting).rejects.toThrow(/does not exist.*create it.*dead-words/)
}, 60_000)
