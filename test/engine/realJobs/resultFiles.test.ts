// Results that a job writes to another system from foreachRDD: exactly once by the batch id,
// whatever process is killed.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestedJob, testJob } from 'millrace/engine/testing'
import { expect, test } from 'vitest'
import { Program } from '../../endToEnd/programs.ts'
import { until } from '../../eventLoop.ts'
import { JobBroker } from '../jobs/jobBroker.ts'
import { generatedRequests } from './inputs/accessLines.ts'
import { statusCounts } from './modules/statusFiles.ts'
import { byKey, type Counts, countsOf } from './plain/counts.ts'

const requests = generatedRequests(31, 400, 500)
const truth = countsOf(requests.map(({ row }) => String(row.status)))
const module = join(import.meta.dirname, 'modules', 'statusFiles.ts')

/**
 * Yields the counts in a sink after runs in which the driver is killed once, at each durable step
 * in turn.
 */
async function* countsAfterKills(
  job: TestedJob,
  read: (run: Run) => Counts,
): AsyncGenerator<Counts> {
  const calm = await testJob(job)
  await play(calm)
  expect(read(calm)).toEqual(truth)
  const steps = calm.steps.length
  await calm.stop()
  for (const write of ['lost', 'kept'] as const) {
    for (let atStep = 0; atStep < steps; atStep++) {
      await using run = await testJob(job, { kill: { atStep, write, loses: 'power' } })
      await play(run)
      yield read(run)
    }
  }
}

type Run = Awaited<ReturnType<typeof testJob>>

async function play(run: Run): Promise<void> {
  const up = async (work: () => Promise<void>) => {
    await work()
    while (!run.isUp) await run.restart()
  }
  await up(async () => {})
  for (let at = 0; at < requests.length; at += 80) {
    await run.feed(
      'access',
      requests.slice(at, at + 80).map(({ text }) => text),
    )
    await up(() => run.advance(1000))
  }
  await up(() => run.advance(1000))
}

function total(batches: Iterable<Counts>): Counts {
  const counts = new Map<string, number>()
  for (const batch of batches) {
    for (const [status, count] of batch) counts.set(status, (counts.get(status) ?? 0) + count)
  }
  return byKey(counts)
}

test('a value per batch id is exact, wherever the driver is killed', async () => {
  const job: TestedJob = ({ sink }) => statusCounts((batchId, counts) => sink.put(batchId, counts))
  const counts = countsAfterKills(job, (run) => total(run.sink().table.values() as never))
  for await (const each of counts) expect(each).toEqual(truth)
})

test('a transaction with the batch id is exact, wherever the driver is killed', async () => {
  const job: TestedJob = ({ sink }) =>
    statusCounts((batchId, counts) => sink.transaction(batchId, (writer) => writer.append(counts)))
  const counts = countsAfterKills(job, (run) => total(run.sink().list as never))
  for await (const each of counts) expect(each).toEqual(truth)
})

test('a sink that only appends contains a batch twice after some of the kills', async () => {
  const job: TestedJob = ({ sink }) => statusCounts((_, counts) => sink.append(counts))
  let wrong = 0
  const counts = countsAfterKills(job, (run) => total(run.sink().list as never))
  for await (const each of counts) if (JSON.stringify(each) !== JSON.stringify(truth)) wrong++
  expect(wrong).toBeGreaterThan(0)
})

test('files of a job whose process is killed count every record once', async () => {
  const broker = await JobBroker.start('access')
  const files = await mkdtemp(join(tmpdir(), 'millrace-files-'))
  await broker.createTopic(2)
  const words = ['submit', module, '--bootstrap', broker.address, '--batch-interval-ms', '50']
  const program = new Program(
    'status-counts',
    [...words, '--directory', broker.directory],
    /job \S+ running/,
    { STATUS_FILES: files },
  )
  try {
    for (let kill = 0; kill < 2; kill++) {
      await program.start()
      const part = requests.slice(kill * 100, kill * 100 + 100)
      await broker.produce(part.map(({ text }) => text))
      await written(files, (counts) => sum(counts) > kill * 100)
      await program.kill()
    }
    await program.start()
    await broker.produce(requests.slice(200).map(({ text }) => text))
    expect(await written(files, (counts) => sum(counts) >= requests.length)).toEqual(truth)
    await program.stop()
    expect(await readCounts(files)).toEqual(truth)
  } finally {
    await program.kill()
    await broker.stop()
    await rm(files, { recursive: true, force: true })
  }
}, 120_000)

function sum(counts: Counts): number {
  return counts.reduce((total, [, count]) => total + count, 0)
}

async function readCounts(directory: string): Promise<Counts> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json'))
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
  return total(texts.map((text) => JSON.parse(text) as Counts))
}

/** Reads the files repeatedly until `isDone` returns true for their counts. */
async function written(directory: string, isDone: (counts: Counts) => boolean): Promise<Counts> {
  let counts = await readCounts(directory)
  await until(async () => {
    counts = await readCounts(directory)
    return isDone(counts)
  })
  return counts
}
