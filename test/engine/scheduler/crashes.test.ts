// Power fails at every single durable step of a job, and the job restarts from the contents of the
// disk: every line counts once, windows are correct in every batch, and the committed offset ranges
// are contiguous. Logs, driver, tasks and state stores are the production code.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from '../../../engine/checkpoint/offsetLog.ts'
import { add, job, type RowFormat, seconds, subtract, sum } from '../../../engine/engine.ts'
import { inProcessExecutors } from '../../../engine/executor/inProcessExecutor.ts'
import { StateStores } from '../../../engine/executor/stateStores.ts'
import type { Pair } from '../../../engine/rdd/lineage.ts'
import { BatchLoop } from '../../../engine/scheduler/batchLoop.ts'
import { Driver } from '../../../engine/scheduler/driver.ts'
import { pushHeld } from '../../../engine/sources/heldRecord.ts'
import type { Scanner } from '../../../engine/sources/topicScanner.ts'
import type { StateChange } from '../../../engine/state/stateDatabase.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import { sortedRows } from '../../../engine/stream/view.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { lineRecords } from '../sources/lineRecords.ts'
import { MemoryStateDatabase } from '../state/memoryStateDatabase.ts'
import { limitsOf } from './limits.ts'

const intervalMs = 1000
const input = ['a b', 'b', '', 'c a a', '', '', 'b a', 'd'].map((line) => line.split(' '))
const words: RowFormat<string> = {
  name: 'words',
  describe: () => 'words()',
  row: (bytes, start, end) => bytes.toString('utf8', start, end),
}

const counting = job('counting', (stream) => {
  const counts = stream
    .fromTopic('words', words)
    .map((word) => [word, 1] as const)
    .reduceByKey<string, number>(sum)
  counts.updateStateByKey(add).view('totals', { title: 'totals', chart: 'bar' })
  counts
    .reduceByKeyAndWindow<string, number>(sum, seconds(3))
    .view('direct', { title: 'direct', chart: 'bar' })
  counts
    .reduceByKeyAndWindow<string, number>(sum, seconds(3), seconds(1), {
      inverse: subtract,
      filter: (count) => count > 0,
    })
    .view('inverse', { title: 'inverse', chart: 'bar' })
})

type Views = ReadonlyMap<string, unknown>

/** The effect of a power failure on a write in progress. */
type Outcome = 'lost' | 'kept'

class PowerFailure extends Error {}

/** The topic, the disk and the state, which outlive the job. */
class World {
  readonly clock = new ManualClock()
  readonly #log: string[][] = [[], []]
  readonly #states = new Map<string, Map<string, string>>()
  readonly committed: { batch: OffsetLogEntry; views: Views }[] = []
  /** The remaining power failures, each with the number of durable steps before it. */
  readonly #failures: { after: number; outcome: Outcome }[]
  readonly #disk = new MemoryDisk({ beforeChange: () => this.#step(() => this.#disk.crash()) })
  #arrived = 0
  #steps = 0
  #isDown = false
  starts = 0

  constructor(failures: { after: number; outcome: Outcome }[] = []) {
    this.#failures = [...failures]
  }

  get steps(): number {
    return this.#steps
  }

  /** Starts the job repeatedly until all input is counted and the windows are empty again. */
  async run(): Promise<void> {
    const mostStarts = this.#failures.length + 1
    for (;;) {
      expect(++this.starts).toBeLessThanOrEqual(mostStarts)
      this.#isDown = false
      try {
        await this.#runOnce()
        return
      } catch (error) {
        if (!this.#isDown) throw error
      }
    }
  }

  async #runOnce(): Promise<void> {
    const offsetLog = await OffsetLog.open(this.#disk, '/job/offsets')
    const commitLog = await CommitLog.open(this.#disk, '/job/commits')
    const driver = this.#driver()
    const latest = offsetLog.latest()
    const known = offsetLog.range(0, (latest?.batchId ?? -1) + 1)
    for (const batch of known) driver.graph.addBatch(batch)
    await driver.start()
    let views: Views = new Map()
    const loop = new BatchLoop({
      clock: this.clock,
      batchIntervalMs: intervalMs,
      limits: limitsOf(3),
      offsetLog,
      commitLog,
      ends: async () => this.#ends(),
      run: async (batch) => {
        views = await runBatch(driver, batch)
      },
      oldestRemembered: () => driver.graph.history.upTo(Infinity)[0]!.batchId,
      onCommitted: (batch) => {
        this.committed.push({ batch, views })
        if (this.#isDone(batch)) loop.stop()
      },
    })
    try {
      await this.#whileTimePasses(loop.run())
    } finally {
      await driver.stop()
    }
  }

  #driver(): Driver {
    const open = (directory: string) =>
      StateStore.open(directory, { openDatabase: async (at) => this.#database(at) })
    return new Driver({
      runtime: { clock: this.clock, random: seededRandom(1), scheduler: systemScheduler },
      logger: silentLogger,
      job: counting,
      batchIntervalMs: intervalMs,
      executors: 2,
      startExecutor: inProcessExecutors({
        scheduler: systemScheduler,
        job: counting,
        batchIntervalMs: intervalMs,
        createScanner: () => this.#scanner(),
        createStates: () => new StateStores({ clock: this.clock, directory: '/state', open }),
      }),
    })
  }

  #database(directory: string): MemoryStateDatabase {
    if (this.#isDown) throw new PowerFailure()
    const contents = this.#states.get(directory) ?? new Map<string, string>()
    this.#states.set(directory, contents)
    const step = (write: () => Promise<void>) => this.#write(write)
    return new (class extends MemoryStateDatabase {
      override write(changes: readonly StateChange[]): Promise<void> {
        return step(() => super.write(changes))
      }
    })(contents)
  }

  async #write(write: () => Promise<void>): Promise<void> {
    if (this.#isDown) throw new PowerFailure()
    const outcome = this.#step(() => this.#disk.crash())
    if (outcome !== 'lost') await write()
    if (outcome !== undefined) throw new PowerFailure()
  }

  /** Performs one durable step. Returns undefined unless power fails in it. */
  #step(crash: () => void): Outcome | undefined {
    if (this.#isDown) return 'lost'
    this.#steps++
    const next = this.#failures[0]
    if (next === undefined || next.after-- > 0) return undefined
    this.#failures.shift()
    this.#isDown = true
    crash()
    return next.outcome
  }

  /** Appends the next lines of the input, as if they arrived before each plan of a batch. */
  #ends() {
    for (const [at, word] of (input[this.#arrived++] ?? []).entries()) {
      if (word !== '') this.#log[(at + this.#arrived) % 2]!.push(word)
    }
    return this.#log.map(({ length }, partition) => {
      return { topic: 'words', partition, earliest: 0, latest: length }
    })
  }

  #isDone({ ranges }: OffsetLogEntry): boolean {
    const isRead = ranges.every(({ partition, until }) => until === this.#log[partition]!.length)
    const inverse = this.committed.at(-1)!.views.get('inverse') as unknown[] | undefined
    return this.#arrived >= input.length && isRead && inverse?.length === 0
  }

  #scanner(): Scanner {
    return {
      scan: async (scan, sink, { reject } = {}) => {
        const { partition, from, until } = scan.range
        const lines = this.#log[partition]!.slice(from, until)
        pushHeld(lineRecords(scan.range, lines), scan, sink, reject)
        return { oldestTimestampMs: undefined, records: lines.length }
      },
      close: () => {},
    }
  }

  async #whileTimePasses(running: Promise<void>): Promise<void> {
    let isOver = false
    const over = () => {
      isOver = true
    }
    running.then(over, over)
    const mostBatches = 100
    for (let batches = 0; !isOver; batches++) {
      expect(batches).toBeLessThan(mostBatches)
      await this.clock.advanceAndSettle(intervalMs)
    }
    await running
  }
}

async function runBatch(driver: Driver, batch: OffsetLogEntry): Promise<Views> {
  driver.addBatch(batch)
  const views = new Map<string, unknown>()
  await Promise.all(
    driver.graph.outputs.map(async (output) => {
      const rdd = driver.graph.rdd<unknown>(output.stream, batch.batchId)
      if (!rdd || output.kind !== 'view') return
      views.set(output.name, sortedRows((await rdd.collect()) as Pair<string, number>[]))
    }),
  )
  return views
}

/** Checks the rules that hold for every run, with or without a crash. */
function check({ committed }: World): void {
  expect(committed.at(-1)!.views.get('totals')).toEqual([
    ['a', 4],
    ['b', 3],
    ['c', 1],
    ['d', 1],
  ])
  for (const { views } of committed) expect(views.get('inverse')).toEqual(views.get('direct'))
  const ends = new Map<number, number>()
  for (const [at, { batch }] of committed.entries()) {
    // A crash after a commit and before its announcement hides that batch from this list.
    const missed = batch.batchId - (committed[at - 1]?.batch.batchId ?? -1) - 1
    expect(missed).toBeGreaterThanOrEqual(0)
    for (const { partition, from, until } of batch.ranges) {
      const before = ends.get(partition) ?? 0
      if (missed === 0) expect(from).toBe(before)
      else expect(from).toBeGreaterThanOrEqual(before)
      ends.set(partition, until)
    }
  }
}

describe('a job', () => {
  test('without a failure counts every line', async () => {
    const world = new World()
    await world.run()
    check(world)
    expect(world.starts).toBe(1)
  })

  test.each(['lost', 'kept'] as const)(
    'counts every line once when power fails at any durable step and the write is %s',
    async (outcome) => {
      const calm = new World()
      await calm.run()
      expect(calm.steps).toBeGreaterThan(40)
      for (let after = 0; after < calm.steps; after++) {
        const world = new World([{ after, outcome }])
        await world.run()
        expect(world.starts).toBe(2)
        check(world)
      }
    },
  )

  test('counts every line once, however often power fails', async () => {
    const failure = fc.record({
      after: fc.nat(25),
      outcome: fc.constantFrom<Outcome>('lost', 'kept'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(failure, { maxLength: 8 }), async (failures) => {
        const world = new World(failures.map((each) => ({ ...each })))
        await world.run()
        check(world)
      }),
      { numRuns: 100 },
    )
  })
})
