// Exactly once: agent, broker and engine run as separate processes and are killed with SIGKILL at
// random moments while lines flow, and the results equal those of an undisturbed run. The seed is
// printed; MILLRACE_SEED=N repeats the same kills.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { LineFeed } from '../../engine/jobs/lineFeed.ts'
import { OrderLines } from '../../engine/jobs/orderLines.ts'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { PartitionReader } from '../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../protocol/kafka/records/recordCursor.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { sleep, systemClock } from '../../protocol/runtime/time/clock.ts'
import { decodeStatus, type JobStatus } from '../../protocol/telemetry/status/status.ts'
import { statusTopic } from '../../protocol/telemetry/status/statusTopicName.ts'
import { freePort, Program } from './programs.ts'

const kills = 21
const ratePerSecond = 2_000
/** Maximum delay of a kill after the program that was killed last is ready again, in ms. */
const mostPauseMs = 600
const maxBatchBytes = 64 * 1024 * 1024

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

test(`the true counts after ${kills} kills`, { timeout: 300_000 }, async () => {
  const seed = Number(process.env.MILLRACE_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`kills with MILLRACE_SEED=${seed}`)
  const random = seededRandom(seed)
  const directory = await mkdtemp(join(tmpdir(), 'millrace-killed-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))

  const address = { host: '127.0.0.1', port: await freePort() }
  const programs = threePrograms(directory, `${address.host}:${address.port}`)
  const [broker, agent, job] = programs
  for (const program of programs) closing.push(() => program.kill())
  await broker.start()
  const cluster = new Cluster(nodeRuntime(tcpNetwork), { bootstrap: [address], clientId: 'test' })
  closing.push(() => cluster.close())
  await new Admin(cluster).createTopics([
    { name: 'orders', partitions: 2 },
    { name: statusTopic, partitions: 1 },
  ])
  await Promise.all([agent.start(), job.start()])

  const path = join(directory, 'orders.log')
  const feed = new LineFeed({
    disk: nodeRuntime(tcpNetwork).disk,
    clock: systemClock,
    source: new OrderLines(random),
    path,
    ratePerSecond,
  })
  const fed = feed.run()
  closing.push(async () => feed.stop())
  await killAtRandom(programs, random)
  feed.stop()
  const lines = await fed

  const text = await readFile(path, 'latin1')
  const status = await resultOf(cluster, lines)
  expect(status.recordsTotal).toBe(lines)
  expect(viewOf(status, 'orders-by-age')).toEqual(purchases(text, ageRange))
  expect(viewOf(status, 'orders-by-gender')).toEqual(purchases(text, gender))
  expect(await storedLines(cluster)).toEqual(text.trimEnd().split('\n').sort())
  expect(programs.reduce((sum, { starts }) => sum + starts, 0)).toBe(programs.length + kills)
  expect(broker.printed).toMatch(/broker was not stopped cleanly: logs recovered/)
  expect(job.printed).toMatch(/job continues where it stopped/)
})

type Three = readonly [broker: Program, agent: Program, job: Program]

function threePrograms(directory: string, bootstrap: string): Three {
  const port = bootstrap.split(':')[1]!
  return [
    new Program(
      'broker',
      ['broker', '--no-console', '--port', port, '--data', join(directory, 'broker')],
      /listening/,
    ),
    new Program(
      'agent',
      [
        ...['agent', '--name', 'orders', '--conf-file', 'agent/orders.conf'],
        ...[`-Ddemo.directory=${directory}`, `-Ddemo.bootstrap=${bootstrap}`],
      ],
      /started/,
    ),
    new Program(
      'job',
      [
        ...['submit', 'engine/jobs/orderDemographics.ts', '--bootstrap', bootstrap],
        ...['--directory', join(directory, 'job'), '--batch-interval-ms', '200'],
      ],
      /running/,
    ),
  ]
}

/** Kills each program in turn, in random order; sometimes two at once. */
async function killAtRandom(programs: Three, random: Random): Promise<void> {
  const victims: Program[] = []
  while (victims.length < kills) victims.push(...shuffled(programs, random))
  victims.length = kills
  while (victims.length > 0) {
    await sleep(systemClock, random.below(mostPauseMs))
    const both = random.below(4) === 0 && victims[1] !== victims[0]
    const now = victims.splice(0, both ? 2 : 1)
    await Promise.all(now.map((program) => program.kill()))
    await Promise.all(now.map((program) => program.start()))
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.float() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** Resolves with the job's status once it has counted this number of records. */
async function resultOf(cluster: Cluster, lines: number): Promise<JobStatus> {
  const reader = new PartitionReader(cluster, { topic: statusTopic, partition: 0 })
  for (let offset = await reader.latest(); ; ) {
    const { batches } = await reader.fetch(offset)
    for (const batch of splitBatches(batches)) {
      for (const record of records(batch, maxBatchBytes)) {
        const status = decodeStatus(record.value!)
        if (status.kind === 'job' && status.recordsTotal >= lines) return status
      }
      offset = batch.nextOffset
    }
  }
}

function viewOf(status: JobStatus, name: string): Record<string, number> {
  return Object.fromEntries(status.views.find((view) => view.name === name)!.rows)
}

const actionType = 6
const ageRange = 7
const gender = 8

/** The expected result of the job, counted in a plain loop. */
function purchases(text: string, column: number): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const line of text.trimEnd().split('\n')) {
    const fields = line.split(',')
    if (fields[actionType] !== '2') continue
    const key = fields[column]!
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

/** Returns every line in the topic, sorted. */
async function storedLines(cluster: Cluster): Promise<string[]> {
  const lines: string[] = []
  for (let partition = 0; partition < 2; partition++) {
    const reader = new PartitionReader(cluster, { topic: 'orders', partition })
    const end = await reader.latest()
    for (let offset = 0; offset < end; ) {
      const { batches } = await reader.fetch(offset)
      for (const batch of splitBatches(batches)) {
        if (batch.nextOffset <= offset) continue
        for (const record of records(batch, maxBatchBytes))
          lines.push(record.value!.toString('latin1'))
        offset = batch.nextOffset
      }
    }
  }
  return lines.sort()
}
