// Runs a job in the test kit over an input that arrives gradually, with the driver paused midway.
// Records produced meanwhile are read afterwards, in batches of limited size.

import {
  type JobTest,
  type TestBatch,
  type TestedJob,
  type TestJobOptions,
  testJob,
} from 'millrace/engine/testing'
import type { Arrival } from './inputs/arrival.ts'

/**
 * The records fed into each topic, by partition and offset: all the input that a plain computation
 * needs.
 */
export type FedTopics = ReadonlyMap<string, readonly (readonly Arrival<unknown>[])[]>

export interface JobInput {
  readonly topic: string
  readonly arrivals: readonly Arrival<unknown>[]
}

export interface JobRunOptions extends TestJobOptions {
  /** Number of parts of each input; one part arrives in each interval. Default 20. */
  readonly parts?: number
  /** Downtimes of the driver, in ms, each after the same number of parts. None by default. */
  readonly pausesMs?: readonly number[]
  /** Number of parts that arrive while the driver is down. */
  readonly partsMissed?: number
  /** Number of parts by which each partition of a topic is behind the previous one. Default 0. */
  readonly partsBehind?: number
}

export interface JobRun {
  readonly test: JobTest
  readonly fed: FedTopics
  /** Committed batches that have read records. */
  readonly batches: readonly TestBatch[]
}

export const pausesMs = [4_000, 4 * 60_000, 4 * 60 * 60_000] as const

export const absences = [
  { name: 'no downtime', pauses: [] },
  { name: 'down for 4 s', pauses: [pausesMs[0]] },
  { name: 'down for 4 minutes', pauses: [pausesMs[1]] },
  { name: 'down for 4 hours', pauses: [pausesMs[2]] },
  { name: 'down for each of these times', pauses: pausesMs },
]

type Fed = Arrival<unknown>[]

/** Runs a job until all records are read. The caller disposes of the test. */
export async function runJob(
  job: TestedJob,
  inputs: readonly JobInput[],
  options: JobRunOptions = {},
): Promise<JobRun> {
  const { parts = 20, pausesMs: pauses = [], partsMissed = 3, partsBehind = 0 } = options
  const { partitions = 2 } = options
  if (typeof partitions !== 'number') throw new TypeError('one number of partitions for all topics')
  const test = await testJob(job, { ...options, partitions })
  const fed = new Map(
    inputs.map(({ topic }) => [topic, Array.from({ length: partitions }, (): Fed => [])]),
  )
  const feed = async (step: number) => {
    for (const { topic, arrivals } of inputs) {
      for (const [partition, log] of fed.get(topic)!.entries()) {
        const own = arrivals.filter((_, at) => at % partitions === partition)
        const edge = (part: number) => Math.floor((Math.max(0, part) * own.length) / parts)
        const part = step - partition * partsBehind
        for (const arrival of own.slice(edge(part), edge(part + 1))) {
          log.push(arrival)
          await test.feed(topic, [{ value: textOf(arrival), partition }])
        }
      }
    }
  }
  const steps = parts + (partitions - 1) * partsBehind
  const left = [...pauses]
  const every = Math.floor(steps / (pauses.length + 1))
  for (let step = 0; step < steps; step++) {
    const isPaused = left.length > 0 && step > 0 && step % every === 0
    if (!isPaused) {
      await feed(step)
      await test.advance(1000)
      continue
    }
    test.killDriver()
    await feed(step)
    for (let missed = 1; missed < partsMissed && step + 1 < steps; missed++) await feed(++step)
    await test.pause(left.shift()!)
    await test.restart()
  }
  await readAll(test, fed)
  return { test, fed, batches: test.batches.filter(({ records }) => records > 0) }
}

/** Runs batches until all records are read, and one more batch, which has the last watermark. */
async function readAll(test: JobTest, fed: FedTopics): Promise<void> {
  for (const [topic, logs] of fed) {
    const isRead = () =>
      logs.every((log, partition) =>
        test.batches
          .at(-1)
          ?.ranges.some(
            (range) =>
              range.topic === topic && range.partition === partition && range.until === log.length,
          ),
      )
    for (let batches = 0; !isRead(); batches++) {
      if (batches > 10_000) throw new Error(`${topic} is not read to its end`)
      await test.advance(1000)
    }
  }
  await test.advance(1000)
}

function textOf(arrival: Arrival<unknown>): string {
  return 'bad' in arrival ? arrival.bad : arrival.text
}
