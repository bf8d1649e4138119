// The driver with everything except threads: shuffles that do not fit into memory, batches that are
// cancelled and retried, and its reports on the running batch.

import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { OffsetLog } from '../../../engine/checkpoint/offsetLog.ts'
import { add, type Job, job, type RowFormat, sum } from '../../../engine/engine.ts'
import { EngineError } from '../../../engine/engineError.ts'
import { inProcessExecutors } from '../../../engine/executor/inProcessExecutor.ts'
import { StateStores } from '../../../engine/executor/stateStores.ts'
import type { TaskReport } from '../../../engine/executor/task.ts'
import { BatchLoop } from '../../../engine/scheduler/batchLoop.ts'
import { describeProgress } from '../../../engine/scheduler/batchProgress.ts'
import { Driver, type ShuffleOptions } from '../../../engine/scheduler/driver.ts'
import { pushHeld } from '../../../engine/sources/heldRecord.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import type { BatchInfo } from '../../../engine/stream/batchHistory.ts'
import { sortedRows } from '../../../engine/stream/view.ts'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { lineRecords } from '../sources/lineRecords.ts'
import { MemoryStateDatabase } from '../state/memoryStateDatabase.ts'
import { limitsOf } from './limits.ts'

const intervalMs = 1000
const words: RowFormat<string> = {
  name: 'words',
  describe: () => 'words()',
  row: (bytes, start, end) => bytes.toString('utf8', start, end),
}

const opened: Driver[] = []
afterEach(async () => {
  for (const driver of opened.splice(0)) await driver.stop()
})

/** A topic of two partitions in memory, and a job on it. */
class World {
  readonly clock = new ManualClock(1_000_000)
  readonly logger = new MemoryLogger()
  readonly log: string[][] = [[], []]
  readonly reports: TaskReport[] = []
  readonly driver: Driver
  /** The newest batch that changed the state of each operator, as of the last run. */
  changed: number[] = []
  /** Awaited before each scan. */
  beforeScan: () => Promise<void> | void = () => {}
  /** Number of open states. */
  open = 0
  readonly #states = new Map<string, Map<string, string>>()

  constructor(made: Job, shuffles?: ShuffleOptions) {
    this.driver = new Driver({
      runtime: { clock: this.clock, random: seededRandom(1), scheduler: systemScheduler },
      logger: this.logger,
      job: made,
      batchIntervalMs: intervalMs,
      executors: 2,
      ...(shuffles && { shuffles }),
      onTaskFinished: (report) => this.reports.push(report),
      startExecutor: inProcessExecutors({
        scheduler: systemScheduler,
        job: made,
        batchIntervalMs: intervalMs,
        createScanner: () => ({
          scan: async (scan, sink, { reject } = {}) => {
            await this.beforeScan()
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
    opened.push(this.driver)
  }

  batch(batchId: number, from: number, until: number): BatchInfo {
    const ranges = this.log.map((lines, partition) => {
      const [first, last] = [from, until].map((at) => Math.min(at, lines.length)) as [
        number,
        number,
      ]
      return { topic: 'words', partition, from: first, until: last }
    })
    return { batchId, timeMs: (batchId + 1) * intervalMs, ranges }
  }

  /** Returns the rows of all views. */
  async run(batch: BatchInfo): Promise<Record<string, unknown>> {
    this.driver.addBatch(batch)
    const { changed } = await this.driver.advance(batch)
    this.changed = [...changed.values()]
    const rows: Record<string, unknown> = {}
    await Promise.all(
      this.driver.graph.outputs.map(async (output) => {
        if (output.kind !== 'view') return
        const rdd = this.driver.graph.rdd<unknown>(output.stream, batch.batchId)
        const all = (await rdd?.collect()) as (readonly [string, number])[] | undefined
        if (all) rows[output.name] = sortedRows(all)
      }),
    )
    return rows
  }

  #open(directory: string): Promise<StateStore> {
    const contents = this.#states.get(directory) ?? new Map<string, string>()
    this.#states.set(directory, contents)
    return StateStore.open(directory, {
      openDatabase: async () => {
        this.open++
        const database = new MemoryStateDatabase(contents)
        const close = database.close.bind(database)
        database.close = () => {
          this.open--
          return close()
        }
        return database
      },
    })
  }
}

const shown = { title: 'counts', chart: 'bar' } as const
const counting = job('counting', (stream) => {
  const ones = stream.fromTopic('words', words).map((word) => [word, 1] as const)
  ones.updateStateByKey<string, number, number>(add).view('totals', shown)
  const grouped = ones.groupByKey<string, number>()
  grouped.mapValues((all) => all.length).view('groups', shown)
  ones.reduceByKey<string, number>(sum).view('counts', shown)
})

function countOf(lines: readonly string[]): (readonly [string, number])[] {
  const counts = new Map<string, number>()
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1)
  return sortedRows([...counts])
}

type Failure = 'open' | 'bytes' | undefined

/** A disk whose reads fail or return wrong bytes when `fails` returns such a failure. */
function unreliable(disk: MemoryDisk, fails: () => Failure | Promise<Failure>): Disk {
  return new Proxy<Disk>(disk, {
    get(target, property) {
      if (property !== 'open') {
        const value: unknown = Reflect.get(target, property)
        return typeof value === 'function' ? value.bind(target) : value
      }
      return async (path: string, mode: 'read' | 'write'): Promise<DiskFile> => {
        const failure = mode === 'read' ? await fails() : undefined
        if (failure === 'open') throw new Error('EIO')
        const file = await target.open(path, mode)
        if (failure === undefined) return file
        const read = file.read.bind(file)
        file.read = async (into, position) => {
          const bytes = await read(into, position)
          into[bytes >> 1] = into[bytes >> 1]! ^ 1
          return bytes
        }
        return file
      }
    },
  })
}

describe('shuffles that do not fit into memory', () => {
  test('give the same results as shuffles in memory, even with damaged or missing files', async () => {
    const line = fc.constantFrom('a', 'b', 'c', 'ä ö', '')
    const batches = fc.array(fc.array(line, { maxLength: 30 }), { minLength: 1, maxLength: 4 })
    let damaged = 0
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(6), fc.nat(60), async (all, every, maxPairs) => {
        let reads = 0
        const disk = unreliable(new MemoryDisk(), () => {
          // Reads do not fail forever: a stage whose inputs are lost four times in a row fails.
          if (every < 4 || ++reads % every !== 0) return undefined
          damaged++
          return reads % 2 === 0 ? 'open' : 'bytes'
        })
        const world = new World(counting, { maxPairs, spill: { disk, directory: '/job/shuffle' } })
        await world.driver.start()
        for (const [batchId, lines] of all.entries()) {
          const before = world.log.map(({ length }) => length)
          for (const [at, each] of lines.entries()) world.log[at % 2]!.push(each)
          const ranges = world.log.map(({ length: until }, partition) => {
            return { topic: 'words', partition, from: before[partition]!, until }
          })
          const rows = await world.run({ batchId, timeMs: (batchId + 1) * intervalMs, ranges })
          expect(rows.counts).toEqual(countOf(lines))
          expect(rows.groups).toEqual(countOf(lines))
          expect(rows.totals).toEqual(countOf(all.slice(0, batchId + 1).flat()))
        }
        expect(world.driver.changedOutputs).toBe(0)
        await world.driver.stop()
      }),
      { numRuns: 60 },
    )
    expect(damaged).toBeGreaterThan(10)
  })

  test('are recomputed when all of their files are missing, however many tasks need them', async () => {
    const wide = job('wide', { partitions: 16 }, (stream) => {
      const ones = stream.fromTopic('words', words).map((word) => [word, 1] as const)
      ones.reduceByKey<string, number>(sum).view('counts', shown)
      ones.updateStateByKey<string, number, number>(add).view('totals', shown)
    })
    let reads = 0
    const disk = unreliable(new MemoryDisk(), () => (reads++ < 40 ? 'open' : undefined))
    const world = new World(wide, { maxPairs: 0, spill: { disk, directory: '/job/shuffle' } })
    for (let at = 0; at < 400; at++) world.log[at % 2]!.push(`word ${at % 97}`)
    await world.driver.start()
    const rows = await world.run(world.batch(0, 0, 200))
    expect(rows).toEqual({ counts: countOf(world.log.flat()), totals: countOf(world.log.flat()) })
    expect(reads).toBeGreaterThan(40)
  })

  test('are not lost a second time, once recomputed, for tasks that began to read them before', async () => {
    const wide = job('wide', { partitions: 8 }, (stream) => {
      const ones = stream.fromTopic('words', words).map((word) => [word, 1] as const)
      ones.reduceByKey<string, number>(sum).view('counts', shown)
    })
    const reading: (() => void)[] = []
    let opens = 0
    const disk = unreliable(new MemoryDisk(), () => {
      if (++opens > 8) return undefined
      return new Promise<'open'>((resolve) => reading.push(() => resolve('open')))
    })
    const world = new World(wide, { maxPairs: 0, spill: { disk, directory: '/job/shuffle' } })
    for (let at = 0; at < 100; at++) world.log[at % 2]!.push(`word ${at % 97}`)
    await world.driver.start()
    const running = world.run(world.batch(0, 0, 50))
    running.catch(() => {})
    await world.clock.advanceAndSettle(1)
    expect(reading).toHaveLength(8)
    // The tasks find one after another that the file is lost; each time the output exists again.
    for (const fail of reading) {
      fail()
      await world.clock.advanceAndSettle(1)
    }
    expect((await running).counts).toEqual(countOf(world.log.flat()))
    const maps = world.reports.filter(({ ranges }) => ranges.length > 0)
    expect(maps).toHaveLength(3)
  })

  test('are read while the driver stops: the action fails and has no result', async () => {
    const reading: (() => void)[] = []
    const memory = new MemoryDisk()
    const disk = unreliable(memory, () => {
      return new Promise<undefined>((resolve) => reading.push(() => resolve(undefined)))
    })
    const world = new World(counting, { maxPairs: 0, spill: { disk, directory: '/job/shuffle' } })
    for (let at = 0; at < 20; at++) world.log[at % 2]!.push(`word ${at % 7}`)
    await world.driver.start()
    const running = world.run(world.batch(0, 0, 10))
    const failed = expect(running).rejects.toThrow('the job is stopping')
    await world.clock.advanceAndSettle(1)
    expect(reading.length).toBeGreaterThan(0)
    const removal = Promise.withResolvers<void>()
    memory.remove = () => removal.promise
    const stopped = world.driver.stop()
    while (reading.length > 0) {
      for (const read of reading.splice(0)) read()
      await world.clock.advanceAndSettle(1)
    }
    removal.resolve()
    await Promise.all([stopped, failed])
  })

  test('split the batch when no disk is configured, until a backlog of any length is counted', async () => {
    const world = new World(counting, { maxPairs: 100 })
    for (let at = 0; at < 1000; at++) world.log[at % 2]!.push(`word ${at % 17}`)
    const disk = new MemoryDisk()
    const offsetLog = await OffsetLog.open(disk, '/job/offsets')
    const commitLog = await CommitLog.open(disk, '/job/commits')
    await world.driver.start()
    let rows: Record<string, unknown> = {}
    let splits = 0
    const loop: BatchLoop = new BatchLoop({
      ...{
        clock: world.clock,
        batchIntervalMs: intervalMs,
        limits: limitsOf(1e6),
        offsetLog,
        commitLog,
      },
      ends: async () =>
        world.log.map(({ length }, partition) => ({
          topic: 'words',
          partition,
          earliest: 0,
          latest: length,
        })),
      run: async (batch) => {
        rows = await world.run(batch)
      },
      breakOff: (error) => world.driver.breakOff(error),
      oldestRemembered: () => world.driver.graph.history.upTo(Infinity)[0]!.batchId,
      onSplit: () => splits++,
      onCommitted: ({ ranges }) => {
        if (ranges.every(({ until }) => until === 500)) loop.stop()
      },
    })
    let isOver = false
    const running = loop.run().finally(() => {
      isOver = true
    })
    running.catch(() => {})
    for (let rounds = 0; !isOver && rounds < 1000; rounds++)
      await world.clock.advanceAndSettle(intervalMs)
    await running
    expect(splits).toBeGreaterThan(2)
    expect(splits).toBeLessThan(12)
    expect(rows.totals).toEqual(countOf(world.log.flat()))
  })
})

test('operators advance before the outputs, and report the last batch that changed their state', async () => {
  const world = new World(counting)
  for (const lines of world.log) lines.push('a', 'b')
  await world.driver.start()
  const changes: number[][] = []
  for (const [batchId, [from, until]] of [
    [0, 1] as const,
    [1, 1] as const,
    [1, 2] as const,
  ].entries()) {
    const { totals } = await world.run(world.batch(batchId, from, until))
    expect(totals).toEqual(countOf(world.log.flatMap((lines) => lines.slice(0, until))))
    changes.push(world.changed)
  }
  expect(changes).toEqual([[0], [0], [2]])
})

test('no query opens a state while states are released, whenever the query arrived', async () => {
  const world = new World(counting)
  for (const lines of world.log) lines.push('a', 'b')
  await world.driver.start()
  await world.run(world.batch(0, 0, 2))
  const { uid } = world.driver.graph.operators[0]!
  for (let turns = 0; turns < 20; turns++) {
    const query = { operator: uid, partition: 0, batchId: 0, limit: 10 }
    const before = world.driver.queryState(query)
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    const after: Promise<unknown>[] = []
    await world.driver.withReleasedStates(async () => {
      expect(world.open).toBe(0)
      after.push(world.driver.queryState(query))
      await world.clock.advanceAndSettle(1)
      expect(world.open).toBe(0)
    })
    const answers = await Promise.all([before, ...after])
    expect(answers[0]).toEqual(answers[1])
  }
})

describe('a cancelled batch', () => {
  test('leaves nothing to the next attempt with its id', async () => {
    const world = new World(counting)
    for (let at = 0; at < 40; at++) world.log[at % 2]!.push(`word ${at % 3}`)
    await world.driver.start()
    const gate = Promise.withResolvers<void>()
    let scans = 0
    // The first scan ends; the other scans of the attempt are in progress when it is cancelled.
    world.beforeScan = () => (++scans > 1 ? gate.promise : undefined)
    const given = world.run(world.batch(0, 0, 20))
    given.catch(() => {})
    await world.clock.advanceAndSettle(1)
    const tooLarge = new EngineError('RESULT_TOO_LARGE', 'too large')
    let isIdle = false
    const broken = world.driver.breakOff(tooLarge).then(() => {
      isIdle = true
    })
    await expect(given).rejects.toBe(tooLarge)
    await world.clock.advanceAndSettle(10_000)
    expect(isIdle).toBe(false)
    world.reports.length = 0
    gate.resolve()
    await broken
    expect(world.reports).toEqual([])
    world.beforeScan = () => {}
    const rows = await world.run(world.batch(0, 0, 5))
    const first = world.log.flatMap((lines) => lines.slice(0, 5))
    expect(rows).toEqual({ totals: countOf(first), groups: countOf(first), counts: countOf(first) })
    const next = await world.run(world.batch(1, 5, 20))
    expect(next.totals).toEqual(countOf(world.log.flat()))
  })

  test('reports all rejected records to the next attempt, including those of earlier batches', async () => {
    const windowed = job('windowed', (stream) => {
      stream
        .fromTopic('words', words, { onError: 'skip' })
        .map((word) => {
          if (word.startsWith('bad')) throw new Error('bad word')
          return [word, 1] as const
        })
        .reduceByKeyAndWindow<string, number>(sum, 4 * intervalMs, 4 * intervalMs)
        .view('window', shown)
    })
    const world = new World(windowed)
    world.log[0]!.push('a', 'bad 1', 'b', 'c')
    world.log[1]!.push('a', 'b', 'bad 2', 'bad 3')
    await world.driver.start()
    for (const batchId of [0, 1, 2]) await world.run(world.batch(batchId, batchId, batchId + 1))
    const rejectedOffsets = () => {
      const all = world.reports.flatMap(({ rejected }) => rejected)
      return new Set(all.map(({ partition, offset }) => `${partition}/${offset}`))
    }
    expect(rejectedOffsets().size).toBe(0)
    const gate = Promise.withResolvers<void>()
    let scans = 0
    // The cancelled attempt also reads earlier batches; some of its tasks finish.
    world.beforeScan = () => (++scans > 4 ? gate.promise : undefined)
    const given = world.run(world.batch(3, 3, 4))
    given.catch(() => {})
    await world.clock.advanceAndSettle(1)
    expect(rejectedOffsets().size).toBeGreaterThan(0)
    const broken = world.driver.breakOff(new EngineError('BATCH_TIMED_OUT', 'late'))
    gate.resolve()
    await broken
    world.reports.length = 0
    world.beforeScan = () => {}
    const { window } = await world.run(world.batch(3, 3, 4))
    expect(window).toEqual(countOf(['a', 'b', 'c', 'a', 'b']))
    expect(rejectedOffsets()).toEqual(new Set(['0/1', '1/2', '1/3']))
  })

  test('without running tasks ends immediately', async () => {
    const world = new World(counting)
    await world.driver.start()
    await world.driver.breakOff(new EngineError('BATCH_TIMED_OUT', 'late'))
  })
})

describe('a job that is not deterministic', () => {
  let made = 0
  const drawing = job('drawing', (stream) => {
    stream
      .fromTopic('words', words)
      .map((word) => [word, ++made] as const)
      .groupByKey<string, number>()
      .mapValues((all) => all.length)
      .view('groups', shown)
  })

  test('is reported once, with its operator, when an output is recomputed', async () => {
    let reads = 0
    const disk = unreliable(new MemoryDisk(), () => (++reads <= 2 ? 'bytes' : undefined))
    const world = new World(drawing, { maxPairs: 0, spill: { disk, directory: '/job/shuffle' } })
    for (let at = 0; at < 40; at++) world.log[at % 2]!.push(`word ${at % 3}`)
    await world.driver.start()
    await world.run(world.batch(0, 0, 20))
    expect(world.driver.changedOutputs).toBeGreaterThan(0)
    const warnings = world.logger.messages('warn').filter((each) => /not deterministic/.test(each))
    expect(warnings).toEqual([expect.stringMatching(/^the output of map differed/)])
  })
})

describe('progress', () => {
  test('names the running partition and stage, and when they started', async () => {
    const world = new World(counting)
    world.log[0]!.push('a')
    world.log[1]!.push('b')
    await world.driver.start()
    const gate = Promise.withResolvers<void>()
    world.beforeScan = () => gate.promise
    const given = world.run({ ...world.batch(0, 0, 1) })
    await world.clock.advanceAndSettle(61_000)
    const progress = world.driver.progress()
    expect(progress.batchId).toBe(0)
    expect(
      progress.stages.map(({ ordinal, of, partitions, done }) => [ordinal, of, partitions, done]),
    ).toEqual([[1, 2, 2, 0]])
    expect(describeProgress(progress, world.clock.nowMs())).toBe(
      'batch 0 for 61 s, partition 0 of stage 1 (map)',
    )
    gate.resolve()
    await given
    expect(describeProgress(world.driver.progress(), world.clock.nowMs())).toBe(
      'batch 0 for 61 s, in the driver (no task is running)',
    )
  })
})
