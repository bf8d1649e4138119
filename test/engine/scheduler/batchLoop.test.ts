// A job that dies between any two durable writes continues as if it had not died: the same batches
// with the same offsets, each run at least once and committed exactly once, and none skipped.

import { expect, test } from 'vitest'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from '../../../engine/checkpoint/offsetLog.ts'
import { BatchLoop } from '../../../engine/scheduler/batchLoop.ts'
import { BatchScheduler } from '../../../engine/scheduler/batchScheduler.ts'
import { planRanges } from '../../../engine/scheduler/rangePlan.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { limitsOf, reportOf } from './limits.ts'

const intervalMs = 1000
const deaths = ['before the plan', 'before the run', 'in the run', 'before the commit'] as const

test.each(deaths)('recovers from a crash %s', async (death) => {
  const world = { disk: new MemoryDisk(), clock: new ManualClock(5000), latest: 10 }
  const ran: OffsetLogEntry[] = []
  await life(world, ran, { batches: 2 })
  await life(world, ran, { batches: 1, death })
  // More records arrive while the job is down: a planned batch must not grow by them.
  world.latest += 100
  await life(world, ran, { batches: 2 })
  const committed = new Map(ran.map((batch) => [batch.batchId, batch]))
  const ranges = [...committed.values()].map(({ ranges }) => ranges[0]!)
  expect(ranges[0]!.from).toBe(0)
  for (let at = 1; at < ranges.length; at++) expect(ranges[at]!.from).toBe(ranges[at - 1]!.until)
  for (const batch of ran) expect(batch).toEqual(committed.get(batch.batchId))
  expect(ranges.at(-1)!.until).toBe(world.latest)
  // In every run, the watermark of a batch depends only on the batches committed before it.
  const expected = ranges.map(({ from }) => (from === 0 ? {} : { w: from - 5 }))
  expect([...committed.values()].map(({ watermarks }) => watermarks)).toEqual(expected)
})

interface World {
  readonly disk: MemoryDisk
  readonly clock: ManualClock
  latest: number
}

/**
 * Runs one process of the job: it commits `batches` batches, then stops, or dies in the next one.
 */
async function life(
  world: World,
  ran: OffsetLogEntry[],
  { batches, death }: { batches: number; death?: (typeof deaths)[number] },
): Promise<void> {
  const { disk, clock } = world
  const offsetLog = await OffsetLog.open(disk, '/job/offsets')
  const commitLog = await CommitLog.open(disk, '/job/commits')
  const died = new Error('died')
  const dieAt = (point: (typeof deaths)[number]) => {
    if (death === point) throw died
  }
  if (death === 'before the commit') commitLog.commit = () => Promise.reject(died)
  let committed = 0
  const loop = new BatchLoop({
    clock,
    batchIntervalMs: intervalMs,
    limits: limitsOf(1000),
    watermarks: [{ uid: 'w', delayMs: 5, idleTimeoutMs: 1e9, topics: ['lines'] }],
    offsetLog,
    commitLog,
    async ends() {
      dieAt('before the plan')
      world.latest += 5
      return [{ topic: 'lines', partition: 0, earliest: 0, latest: world.latest }]
    },
    async run(batch) {
      dieAt('before the run')
      ran.push(batch)
      const until = batch.ranges[0]!.until
      const eventTimes = [{ watermark: 'w', source: 'lines-0', timeMs: until }]
      loop.taskFinished({ ...reportOf(), eventTimes })
      dieAt('in the run')
    },
    oldestRemembered: () => 0,
    onCommitted() {
      if (++committed === batches) loop.stop()
    },
  })
  const running = loop.run()
  const ended = running.then(
    () => true,
    (error) => {
      if (error !== died) throw error
      return true
    },
  )
  let isOver = false
  void ended.then((over) => {
    isOver = over
  })
  while (!isOver) await clock.advanceAndSettle(intervalMs)
  await ended
  await offsetLog.close()
  await commitLog.close()
}

test('missed intervals become one batch, and times advance', () => {
  const scheduler = new BatchScheduler({
    batchIntervalMs: intervalMs,
    planned: undefined,
    committedBatchId: -1,
  })
  expect(scheduler.next(5300)).toEqual({ kind: 'plan', batchId: 0, timeMs: 5000 })
  scheduler.finished({ batchId: 0, timeMs: 5000 })
  expect(scheduler.next(5400)).toEqual({ kind: 'wait', delayMs: 600 })
  expect(scheduler.next(9700)).toEqual({ kind: 'plan', batchId: 1, timeMs: 9000 })
  scheduler.finished({ batchId: 1, timeMs: 9000 })
  expect(scheduler.next(9900)).toEqual({ kind: 'wait', delayMs: 100 })
})

test('a clock that was set back delays a batch by at most one interval', () => {
  const planned = { batchId: 3, timeMs: 900_000, ranges: [] }
  const scheduler = new BatchScheduler({
    batchIntervalMs: intervalMs,
    planned,
    committedBatchId: 3,
  })
  expect(scheduler.next(10_000)).toEqual({ kind: 'wait', delayMs: 1000 })
  expect(scheduler.next(11_000)).toEqual({ kind: 'plan', batchId: 4, timeMs: 901_000 })
})

test('a batch reads at most its limit of a partition, and the next batch continues there', () => {
  const ends = [{ topic: 't', partition: 0, earliest: 7, latest: 30 }]
  const first = planRanges(ends, [], () => 10)
  expect(first).toEqual([{ topic: 't', partition: 0, from: 7, until: 17 }])
  expect(planRanges(ends, first, () => 100)).toEqual([
    { topic: 't', partition: 0, from: 17, until: 30 },
  ])
})

test('records that only a later batch reads are counted in that batch, also after a restart', async () => {
  const disk = new MemoryDisk()
  const clock = new ManualClock()
  const ends = () => Promise.resolve([{ topic: 't', partition: 0, earliest: 0, latest: 9 }])
  const totals: number[] = []

  /**
   * Runs one batch, in which the ranges of the batches that `reads` returns are read completely.
   */
  async function runOne(reads: (batch: OffsetLogEntry) => readonly OffsetLogEntry[]) {
    const offsetLog = await OffsetLog.open(disk, '/job/offsets')
    const commitLog = await CommitLog.open(disk, '/job/commits')
    const options = { clock, batchIntervalMs: intervalMs, limits: limitsOf(4) }
    const loop = new BatchLoop({
      ...{ ...options, offsetLog, commitLog, ends },
      async run(batch) {
        // One of the four offsets is a transaction marker.
        for (const each of reads(batch)) {
          for (const range of each.ranges) loop.taskFinished(reportOf({ range, records: 3 }))
        }
        loop.stop()
      },
      oldestRemembered: () => 0,
      onCommitted: (_batch, { recordsTotal }) => totals.push(recordsTotal),
    })
    const running = loop.run()
    await clock.advanceAndSettle(intervalMs)
    await running
    const first = offsetLog.get(0)!
    await offsetLog.close()
    await commitLog.close()
    return first
  }

  const first = await runOne(() => [])
  await runOne((batch) => [batch, first])
  await runOne(() => [])
  expect(totals).toEqual([0, 6, 6])
})
