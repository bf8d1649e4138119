// Batches that are split at any point of their run, while the process is occasionally killed: the
// states of all operators, including those without records in the smaller batch, and all views
// match plain code over the committed offsets. Loop, driver, outputs, tasks and state stores are
// the production code.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from '../../../engine/checkpoint/offsetLog.ts'
import { add, job, type RowFormat, seconds, subtract, sum } from '../../../engine/engine.ts'
import { EngineError } from '../../../engine/engineError.ts'
import { inProcessExecutors } from '../../../engine/executor/inProcessExecutor.ts'
import { StateStores } from '../../../engine/executor/stateStores.ts'
import { JobOutputs } from '../../../engine/lifecycle/jobOutputs.ts'
import type { ViewRows } from '../../../engine/lifecycle/jobStatus.ts'
import { BatchLoop } from '../../../engine/scheduler/batchLoop.ts'
import { Driver } from '../../../engine/scheduler/driver.ts'
import { pushHeld } from '../../../engine/sources/heldRecord.ts'
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
const words: RowFormat<string> = {
  name: 'words',
  describe: () => 'words()',
  row: (bytes, start, end) => bytes.toString('utf8', start, end),
}

const counting = job('counting', { partitions: 3 }, (stream) => {
  const ones = stream
    .fromTopic('words', words, { onError: 'skip' })
    .filter((word) => {
      if (word === 'bad') throw new Error('bad')
      return true
    })
    .map((word) => [word, 1] as const)
  const totals = ones.updateStateByKey<string, number, number>(add, { uid: 'totals' })
  totals.view('totals')
  // This operator gets records only when the batch contains a `c`.
  ones
    .filter(([word]) => word === 'c')
    .updateStateByKey<string, number, number>(add, { uid: 'rare' })
    .view('rare')
  ones
    .reduceByKeyAndWindow<string, number>(sum, seconds(3), seconds(1), {
      ...{ uid: 'inverse', inverse: subtract },
    })
    .view('inverse')
  ones.reduceByKeyAndWindow<string, number>(sum, seconds(3)).view('window')
  ones.reduceByKeyAndWindow<string, number>(sum, seconds(4), seconds(2)).view('slow')
})

type Fate = 'good' | 'scan' | 'outputs' | 'end' | 'killed'

class World {
  readonly clock = new ManualClock(1_000_000)
  readonly disk = new MemoryDisk()
  readonly log: string[][] = [[], []]
  readonly #states = new Map<string, Map<string, string>>()
  /** The rows of each view in the newest batch that collected the view. */
  readonly shown = new Map<string, ViewRows>()
  readonly committed: OffsetLogEntry[] = []
  rejected = 0
  attempts = 0

  /** Runs one process. `fates` are those of its first attempts; later attempts succeed. */
  async run(fates: Fate[], isOver: () => boolean): Promise<void> {
    const offsetLog = await OffsetLog.open(this.disk, '/job/offsets')
    const commitLog = await CommitLog.open(this.disk, '/job/commits')
    let fate: Fate = 'good'
    let scans = 0
    const driver: Driver = new Driver({
      runtime: { clock: this.clock, random: seededRandom(1), scheduler: systemScheduler },
      ...{ logger: silentLogger, job: counting, batchIntervalMs: intervalMs, executors: 2 },
      shuffles: { maxPairs: 1e6 },
      onTaskFinished: (report) => loop.taskFinished(report),
      startExecutor: inProcessExecutors({
        scheduler: systemScheduler,
        ...{ job: counting, batchIntervalMs: intervalMs },
        createScanner: () => ({
          scan: async (scan, sink, { reject } = {}) => {
            if (fate === 'scan' && ++scans > 1) throw tooLarge()
            const { partition, from, until } = scan.range
            const lines = this.log[partition]!.slice(from, until)
            pushHeld(lineRecords(scan.range, lines), scan, sink, reject)
            return { oldestTimestampMs: undefined, records: lines.length }
          },
          close: () => {},
        }),
        createStates: () =>
          new StateStores({ clock: this.clock, directory: '/state', open: (at) => this.#open(at) }),
      }),
    })
    for (const batch of offsetLog.range(0, (offsetLog.latest()?.batchId ?? -1) + 1)) {
      driver.graph.addBatch(batch)
    }
    const outputs = new JobOutputs(driver, silentLogger, this.clock)
    let rows: ReadonlyMap<string, ViewRows> = new Map()
    const loop: BatchLoop = new BatchLoop({
      ...{ clock: this.clock, batchIntervalMs: intervalMs, limits: limitsOf(1e6) },
      ...{ offsetLog, commitLog, canSplitRerun: true },
      ends: async () =>
        this.log.map(({ length }, partition) => {
          return { topic: 'words', partition, earliest: 0, latest: length }
        }),
      run: async (batch, attempt) => {
        this.attempts++
        fate = fates.shift() ?? 'good'
        scans = 0
        const isEmpty = batch.ranges.every(({ from, until }) => from === until)
        if (isEmpty && fate !== 'killed') fate = 'good'
        driver.addBatch(batch)
        const changed = driver.advance(batch).then((advanced) => advanced.changed)
        if (fate === 'outputs') {
          await changed
          throw tooLarge()
        }
        rows = await outputs.run(batch, attempt, changed)
        if (fate === 'end') throw tooLarge()
        if (fate === 'killed') throw new Error('killed')
      },
      breakOff: (error) => driver.breakOff(error),
      beforeCommit: async (_batch, { rejected }) => {
        this.rejected += rejected.total
      },
      oldestRemembered: () => driver.graph.history.upTo(Infinity)[0]!.batchId,
      onCommitted: (batch) => {
        this.committed.push(batch)
        for (const [view, collected] of rows) this.shown.set(view, collected)
        this.#check(batch)
        if (isOver()) loop.stop()
      },
    })
    await driver.start()
    let hasEnded = false
    const running = loop.run().finally(() => {
      hasEnded = true
    })
    running.catch(() => {})
    for (let rounds = 0; !hasEnded && rounds < 100; rounds++) {
      await this.clock.advanceAndSettle(intervalMs)
    }
    await driver.stop()
    await offsetLog.close()
    await commitLog.close()
    await running
  }

  #check(batch: OffsetLogEntry): void {
    const linesOf = (batches: readonly OffsetLogEntry[]) =>
      batches.flatMap(({ ranges }) =>
        ranges.flatMap(({ partition, from, until }) => this.log[partition]!.slice(from, until)),
      )
    const inLast = (ms: number) =>
      countOf(linesOf(this.committed.filter(({ timeMs }) => timeMs > batch.timeMs - ms)))
    const totals = countOf(linesOf(this.committed))
    expect(this.shown.get('totals')).toEqual(totals)
    expect(this.shown.get('rare')).toEqual(totals.filter(([word]) => word === 'c'))
    expect(this.shown.get('inverse')).toEqual(inLast(3000))
    expect(this.shown.get('window')).toEqual(inLast(3000))
    if ((batch.timeMs / intervalMs) % 2 === 0) {
      expect(this.shown.get('slow')).toEqual(inLast(4000))
    }
  }

  #open(directory: string): Promise<StateStore> {
    const contents = this.#states.get(directory) ?? new Map<string, string>()
    this.#states.set(directory, contents)
    return StateStore.open(directory, {
      openDatabase: async () => new MemoryStateDatabase(contents),
    })
  }
}

function tooLarge(): EngineError {
  return new EngineError('RESULT_TOO_LARGE', 'more than fits')
}

function countOf(lines: readonly string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const line of lines) if (line !== 'bad') counts.set(line, (counts.get(line) ?? 0) + 1)
  return sortedRows([...counts])
}

test('states, windows and views match the committed ranges, whatever is split or killed', async () => {
  const line = fc.constantFrom('a', 'b', 'c', 'd', 'bad')
  const fate = fc.constantFrom<Fate>('good', 'good', 'scan', 'outputs', 'end', 'killed')
  const lives = fc.array(
    fc.record({
      lines: fc.array(line, { maxLength: 12 }),
      fates: fc.array(fate, { maxLength: 6 }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  let splits = 0
  await fc.assert(
    fc.asyncProperty(lives, async (all) => {
      const world = new World()
      for (const { lines, fates } of [...all, { lines: [], fates: [] }]) {
        for (const [at, each] of lines.entries()) world.log[at % 2]!.push(each)
        const isRead = () =>
          world.committed
            .at(-1)!
            .ranges.every(({ partition, until }) => until === world.log[partition]!.length)
        let left = 3
        try {
          await world.run([...fates], () => isRead() && --left === 0)
        } catch (error) {
          // A batch with a single offset cannot be split any further.
          const message = (error as Error).message
          if (message !== 'killed' && !/cannot be split/.test(message)) throw error
        }
      }
      expect(world.committed.at(-1)!.ranges.map(({ until }) => until)).toEqual(
        world.log.map(({ length }) => length),
      )
      const bad = world.log.flat().filter((each) => each === 'bad').length
      expect(world.rejected).toBeGreaterThanOrEqual(bad)
      splits += world.attempts - world.committed.length
    }),
    { numRuns: 60 },
  )
  expect(splits).toBeGreaterThan(50)
}, 60_000)
