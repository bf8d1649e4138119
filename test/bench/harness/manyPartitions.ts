// Brokers with very many partitions, each in its own process: creation, start after a clean
// shutdown and after a SIGKILL (with idle partitions, or not), memory, and the cost of an idle
// broker.

import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { BatchSender } from '../../../protocol/client/producer/batchSender.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import { createTopics, withCluster } from './brokerAdmin.ts'
import { type Server, startBrokerProcess } from './childProcess.ts'
import { durationMs } from './measure.ts'
import { usageOf } from './measuredProcess.ts'
import { orderBatchesOf } from './orderBatches.ts'
import { type BenchOptions, type Row, row } from './row.ts'

const topics = 100
const partitionsPerTopic = 100
const partitions = topics * partitionsPerTopic
const recordsEach = 10
const sendsAtOnce = 200
/** Short task intervals: a few seconds show the cost of each task, which checks every log. */
const tasksEveryMs = 500
const options = {
  'log.flush.offset.checkpoint.interval.ms': tasksEveryMs,
  'log.retention.check.interval.ms': tasksEveryMs,
  'log.initial.task.delay.ms': tasksEveryMs,
}

const ends = {
  stop: 'closed in order',
  kill: 'SIGKILL',
  killWritten: 'SIGKILL when all have just been written to',
} as const
type End = keyof typeof ends

interface Started {
  readonly startMs: number
  readonly residentMb: number
  /** Processor time of one second without requests, with periodic tasks only. */
  readonly idleCpuMs: number
}

export async function partitionRows({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const many = join(directory, 'many')
  const one = join(directory, 'one')
  const rows = [await creationRow(many, join(directory, 'bare'))]
  await inBroker(one, (server) => createTopics(server, [{ name: 'topic-0', partitions: 1 }]))
  for (const content of ['empty', `${recordsEach} records each`]) {
    if (content !== 'empty') {
      await inBroker(many, (server) => fill(server, topics, partitionsPerTopic))
      await inBroker(one, (server) => fill(server, 1, 1))
    }
    for (const end of Object.keys(ends) as End[]) {
      if (content === 'empty' && end === 'killWritten') continue
      await endWith(one, end, (server) => fill(server, 1, 1))
      const baseline = await started(one, seconds)
      await endWith(many, end, (server) => fill(server, topics, partitionsPerTopic))
      const ours = await started(many, seconds)
      rows.push(...startRows(`${content}, ${ends[end]}`, { ours, baseline }))
    }
  }
  return rows
}

function startRows(name: string, { ours, baseline }: { ours: Started; baseline: Started }): Row[] {
  const what = `${partitions} partitions, ${name}`
  return [
    row(`start, ${what}`, ours.startMs, 'ms', baseline.startMs),
    row(`memory after it, ${what}`, ours.residentMb, 'MB', baseline.residentMb),
    row(`processor time of an idle second, ${what}`, ours.idleCpuMs, 'ms', baseline.idleCpuMs),
  ]
}

/** Baseline: as many directories with one file of a few bytes each, all synced. */
async function creationRow(path: string, bare: string): Promise<Row> {
  const server = await startBrokerProcess(path)
  try {
    const ms = await durationMs(async () => {
      for (let number = 0; number < topics; number++) {
        const name = `topic-${number}`
        await createTopics(server, [{ name, partitions: partitionsPerTopic }])
      }
    })
    const baseline = await durationMs(() => makeDirectories(bare))
    return row(`create ${partitions} partitions`, ms / 1000, 's', baseline / 1000)
  } finally {
    await server.stop()
  }
}

async function makeDirectories(path: string): Promise<void> {
  await mkdir(path)
  let next = 0
  const worker = async () => {
    while (next < partitions) {
      const directory = join(path, String(next++))
      await mkdir(directory)
      const file = await open(join(directory, 'file'), 'w')
      await file.write('synced')
      await file.sync()
      await file.close()
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

async function inBroker(path: string, work: (server: Server) => Promise<void>): Promise<void> {
  const server = await startBrokerProcess(path)
  try {
    await work(server)
  } finally {
    await server.stop()
  }
}

async function endWith(
  path: string,
  end: End,
  write: (server: Server) => Promise<void>,
): Promise<void> {
  const server = await startBrokerProcess(path)
  if (end === 'killWritten') await write(server)
  await server[end === 'stop' ? 'stop' : 'kill']()
}

async function started(path: string, seconds: number): Promise<Started> {
  const startMs = performance.now()
  const server = await startBrokerProcess(path, 'group', options)
  try {
    const tookMs = performance.now() - startMs
    const before = await usageOf(server.pid)
    await setTimeout(seconds * 1000)
    const after = await usageOf(server.pid)
    const cpuSeconds = (after?.cpuSeconds ?? Number.NaN) - (before?.cpuSeconds ?? Number.NaN)
    return {
      startMs: tookMs,
      residentMb: (before?.residentBytes ?? Number.NaN) / 1e6,
      idleCpuMs: (cpuSeconds * 1000) / seconds,
    }
  } finally {
    await server.stop()
  }
}

async function fill(server: Server, topicCount: number, partitionCount: number): Promise<void> {
  const [batch] = orderBatchesOf(1, recordsEach).batches
  await withCluster(server, async (cluster) => {
    const sender = new BatchSender(cluster, systemClock, {
      acks: -1,
      deliveryTimeoutMs: 60_000,
      maxInFlight: 5,
    })
    let next = 0
    const lane = async () => {
      while (next < topicCount * partitionCount) {
        const number = next++
        const topic = `topic-${Math.floor(number / partitionCount)}`
        await sender.send(topic, number % partitionCount, Buffer.from(batch!))
      }
    }
    await Promise.all(Array.from({ length: sendsAtOnce }, lane))
    sender.close()
  })
}
