// The outputs of one batch: states and views share one pass over the records; failing functions of
// foreachRDD are retried for as long as their job allows.

import { expect, test } from 'vitest'
import { add, job } from '../../../engine/engine.ts'
import { EngineError } from '../../../engine/engineError.ts'
import { JobOutputs } from '../../../engine/lifecycle/jobOutputs.ts'
import type { Driver } from '../../../engine/scheduler/driver.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { StreamHarness } from '../stream/streamHarness.ts'

const batch = { batchId: 7, timeMs: 1000, ranges: [] }
const attempt = { outputBegins: () => {} }

class World {
  readonly clock = new ManualClock()
  readonly logger = new MemoryLogger()
  readonly driver = { isStopped: false, idle: async () => {}, graph: {} }
  /** Times of the calls, in ms since the first. */
  readonly calls: number[] = []
  outcome: unknown = 'running'

  constructor(retryForMs: number, run: (call: number) => void) {
    const startMs = this.clock.monotonicMs()
    const output = {
      kind: 'foreachRDD',
      retryForMs,
      run: () => {
        this.calls.push(this.clock.monotonicMs() - startMs)
        run(this.calls.length)
      },
    }
    this.driver.graph = { name: 'lines', outputs: [output], rdd: () => ({}) }
    const outputs = new JobOutputs(this.driver as unknown as Driver, this.logger, this.clock)
    outputs.run(batch, attempt, Promise.resolve(new Map())).then(
      () => {
        this.outcome = 'done'
      },
      (error) => {
        this.outcome = error
      },
    )
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) await this.clock.advanceAndSettle(100)
  }
}

function refused(): never {
  throw new Error('connect ECONNREFUSED')
}

test('a sink that is temporarily down delays its batch, and is retried', async () => {
  const world = new World(60_000, (call) => {
    if (call < 8) refused()
  })
  await world.pass(20_000)
  expect(world.outcome).toBe('done')
  expect(world.calls).toEqual([0, 100, 300, 700, 1500, 3100, 6300, 11_300])
  expect(world.logger.messages('warn')).toEqual(['foreachRDD failed; retrying'])
})

test('a sink that stays down fails the batch after the retry time', async () => {
  const world = new World(1000, refused)
  await world.pass(900)
  expect(world.outcome).toBe('running')
  await world.pass(200)
  expect(world.calls).toEqual([0, 100, 300, 700, 1000])
  expect(world.outcome).toMatchObject({
    message: expect.stringMatching(/^job 'lines', batch 7: foreachRDD failed with Error: connect/),
  })
})

test('nothing is retried without a retry time, after a stop, or after an error of the engine', async () => {
  const plain = new World(0, refused)
  const stopped = new World(60_000, refused)
  stopped.driver.isStopped = true
  const failed = new World(60_000, () => {
    throw new EngineError('STAGE_FAILED', 'no result')
  })
  for (const world of [plain, stopped, failed]) {
    await world.pass(10_000)
    expect(world.calls).toEqual([0])
    expect(world.outcome).toBeInstanceOf(Error)
  }
})

test('states and views of the same stream read its records once', async () => {
  const both = job('both', (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines)
    lines
      .map((line) => [line, 1] as const)
      .updateStateByKey(add, { uid: 'totals' })
      .view('totals')
    lines.count().view('count')
  })
  await using harness = await StreamHarness.start(both)
  const { driver, log } = harness
  log[0]!.push('a', 'b')
  log[1]!.push('a')
  const ranges = log.map(({ length }, partition) => {
    return { topic: 'lines', partition, from: 0, until: length }
  })
  const first = { batchId: 0, timeMs: 1000, ranges }
  driver.addBatch(first)
  const outputs = new JobOutputs(driver, silentLogger, new ManualClock())
  const changed = driver.advance(first).then((advanced) => advanced.changed)
  const rows = await outputs.run(first, attempt, changed)
  expect(Object.fromEntries(rows)).toEqual({
    totals: [
      ['a', 2],
      ['b', 1],
    ],
    count: [['count', 3]],
  })
  expect(harness.scans).toBe(log.length)
})
