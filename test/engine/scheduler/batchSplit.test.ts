// A batch that is too large is retried with half of its offsets, repeatedly, while none of its
// output is visible; the logs, counts and watermarks are those of the batch that fitted.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from '../../../engine/checkpoint/offsetLog.ts'
import { EngineError } from '../../../engine/engineError.ts'
import {
  type BatchAttempt,
  BatchLoop,
  type BatchLoopOptions,
} from '../../../engine/scheduler/batchLoop.ts'
import { halved } from '../../../engine/scheduler/batchSplit.ts'
import { offsetsIn } from '../../../engine/scheduler/rangePlan.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { limitsOf, reportOf } from './limits.ts'

const intervalMs = 1000
const tooLarge = () => new EngineError('RESULT_TOO_LARGE', 'more than fits')

interface Life {
  readonly loop: BatchLoop
  readonly clock: ManualClock
  readonly ran: OffsetLogEntry[]
  readonly happened: string[]
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
  /** Waits until the loop ends, while advancing the clock. */
  ended(): Promise<unknown>
}

/** Starts a job on a topic of two partitions, which ends when all offsets are read. */
async function start(
  run: (batch: OffsetLogEntry, attempt: BatchAttempt, life: Life) => Promise<void>,
  {
    disk = new MemoryDisk(),
    latest = [8, 8],
    ...options
  }: { disk?: MemoryDisk; latest?: number[] } & Partial<BatchLoopOptions> = {},
): Promise<Life> {
  const clock = new ManualClock(1_000_000)
  const offsetLog = await OffsetLog.open(disk, '/job/offsets')
  const commitLog = await CommitLog.open(disk, '/job/commits')
  const happened: string[] = []
  const ran: OffsetLogEntry[] = []
  const all = latest.reduce((sum, each) => sum + each, 0)
  const loop = new BatchLoop({
    ...{ clock, batchIntervalMs: intervalMs, limits: limitsOf(1000), offsetLog, commitLog },
    ends: async () =>
      latest.map((until, partition) => ({ topic: 't', partition, earliest: 0, latest: until })),
    async run(batch, attempt) {
      ran.push(batch)
      await run(batch, attempt, life)
    },
    async breakOff({ code }) {
      happened.push(`cancelled: ${code}`)
    },
    oldestRemembered: () => 0,
    onCommitted({ batchId, ranges }, { records, recordsTotal }) {
      happened.push(`committed ${batchId}: ${records} of ${recordsTotal}`)
      const read = ranges.reduce((sum, { until }) => sum + until, 0)
      if (read === all) loop.stop()
    },
    onSplit: ({ batchId }, { ranges }) => happened.push(`split ${batchId}: ${offsetsIn(ranges)}`),
    ...options,
  })
  const life = { loop, clock, ran, happened, offsetLog, commitLog, ended }
  async function ended(): Promise<unknown> {
    let isOver = false
    const end = loop.run().then(
      () => undefined,
      (error: unknown) => error,
    )
    void end.then(() => {
      isOver = true
    })
    for (let rounds = 0; !isOver && rounds < 200; rounds++) await clock.advanceAndSettle(intervalMs)
    expect(isOver).toBe(true)
    await offsetLog.close()
    await commitLog.close()
    return await end
  }
  return life
}

test('a batch is halved until it fits, and the next batches are as large as the one that fitted', async () => {
  const life = await start(
    async (batch, _attempt, { loop }) => {
      const [range] = batch.ranges
      loop.taskFinished({
        ...reportOf(
          ...batch.ranges.map((each) => ({ range: each, records: each.until - each.from })),
        ),
        eventTimes: [{ watermark: 'w', source: 't-0', timeMs: range!.until }],
      })
      if (offsetsIn(batch.ranges) > 4) throw tooLarge()
    },
    { watermarks: [{ uid: 'w', delayMs: 1, idleTimeoutMs: 1e9, topics: ['t'] }] },
  )
  expect(await life.ended()).toBeUndefined()
  expect(life.happened.slice(0, 6)).toEqual([
    'cancelled: RESULT_TOO_LARGE',
    'split 0: 8',
    'cancelled: RESULT_TOO_LARGE',
    'split 0: 4',
    // The cancelled attempts count no records.
    'committed 0: 4 of 4',
    'committed 1: 4 of 8',
  ])
  const entries = life.ran.filter(({ batchId }) => batchId === 0)
  expect(new Set(entries.map(({ timeMs }) => timeMs)).size).toBe(1)
  expect(life.offsetLog.get(0)!.ranges.map(({ until }) => until)).toEqual([2, 2])
  // The largest event time of a cancelled attempt was 8; it must not affect the watermark.
  expect(life.ran.find(({ batchId }) => batchId === 1)!.watermarks).toEqual({})
  const last = life.commitLog.latestCommit()!
  expect(last.eventTimes!.w!['t-0']!.timeMs).toBe(8)
  expect(last.recordsTotal).toBe(16)
})

test('a single record that does not fit fails the job, with its position', async () => {
  const life = await start(() => Promise.reject(tooLarge()), { latest: [4, 1] })
  expect(await life.ended()).toMatchObject({
    code: 'RESULT_TOO_LARGE',
    message: 'batch 0 cannot be split: it reads only t-0 offset 0: more than fits',
  })
  expect(life.happened.filter((each) => each.startsWith('split'))).toEqual([
    'split 0: 3',
    'split 0: 2',
    'split 0: 1',
  ])
})

test('other errors, and errors after an output has begun, do not split the batch', async () => {
  const other = await start(() => Promise.reject(new EngineError('USER_CODE_FAILED', 'no')))
  expect(await other.ended()).toMatchObject({ code: 'USER_CODE_FAILED' })
  const begun = await start((_batch, attempt) => {
    attempt.outputBegins()
    return Promise.reject(tooLarge())
  })
  expect(await begun.ended()).toMatchObject({ message: 'more than fits' })
  expect([...other.happened, ...begun.happened]).toEqual([])
})

test('an output of a cancelled attempt cannot begin', async () => {
  const attempts: BatchAttempt[] = []
  const life = await start(async ({ ranges }, attempt) => {
    attempts.push(attempt)
    if (offsetsIn(ranges) > 8) throw tooLarge()
  })
  await life.ended()
  expect(() => attempts[0]!.outputBegins()).toThrow(/was cancelled/)
  expect(() => attempts[1]!.outputBegins()).not.toThrow()
})

test('a batch of an earlier process is split only if none of its output can be visible', async () => {
  for (const canSplitRerun of [false, true]) {
    const disk = new MemoryDisk()
    const killed = await start(() => Promise.reject(new Error('killed')), { disk })
    expect(await killed.ended()).toMatchObject({ message: 'killed' })
    const again = await start(
      async ({ ranges }) => {
        if (offsetsIn(ranges) > 8) throw tooLarge()
      },
      { disk, canSplitRerun },
    )
    const end = await again.ended()
    if (canSplitRerun) expect(end).toBeUndefined()
    else {
      expect(end).toMatchObject({
        code: 'RESULT_TOO_LARGE',
        message: expect.stringMatching(
          /^batch 0 cannot be split: it was planned by an earlier process.*: more than fits\. .*maxRecordsPerPartition/,
        ),
      })
    }
    expect(again.happened.includes('split 0: 8')).toBe(canSplitRerun)
  }
})

test('a crash while the smaller batch is written leaves either the original batch or the smaller one', async () => {
  const planned = new Set<number>()
  for (let step = 0; step < 8; step++) {
    let left = Infinity
    const disk: MemoryDisk = new MemoryDisk({
      beforeChange: () => {
        if (left-- === 0) disk.crash()
      },
    })
    const first = await start(
      async () => {
        if (left === Infinity) left = step
        throw tooLarge()
      },
      { disk },
    )
    await first.ended().catch(() => {})
    left = Infinity
    const second = await start(async () => {}, { disk })
    planned.add(offsetsIn(second.offsetLog.latest()!.ranges))
    expect(await second.ended()).toBeUndefined()
    const ends = second.ran.map(({ ranges }) => ranges.map(({ until }) => until))
    expect(ends.at(-1)).toEqual([8, 8])
  }
  for (const offsets of planned) expect([16, 8, 4, 2]).toContain(offsets)
  expect(planned.has(16) && planned.has(8)).toBe(true)
})

test('a batch over its time limit is cancelled and split, and eventually fails with an error', async () => {
  const life = await start(
    ({ ranges }, _attempt, { loop }) =>
      offsetsIn(ranges) <= 8
        ? Promise.resolve()
        : new Promise((_, reject) => breaks.push([loop, reject])),
    { maxBatchTimeMs: 5000, breakOff: async (error) => breaks.pop()?.[1](error) },
  )
  const breaks: [BatchLoop, (error: Error) => void][] = []
  expect(await life.ended()).toBeUndefined()
  expect(life.happened[0]).toBe('split 0: 8')
})

describe('a batch whose topic has lost records that the batch was to read', () => {
  const lost = () => new EngineError('OFFSETS_LOST', 'gone')
  /** The log of partition 0 starts at offset 3 now. */
  const ends = (resume?: number) => async () =>
    [0, 1].map((partition) => {
      const log = { topic: 't', partition, earliest: partition === 0 ? 3 : 0, latest: 8 }
      return resume === undefined || partition === 1 ? log : { ...log, resume }
    })

  /**
   * Starts a process that is killed in its first batch, then another process whose output begins
   * immediately.
   */
  async function again(options: Partial<BatchLoopOptions>) {
    const disk = new MemoryDisk()
    const killed = await start(() => Promise.reject(new Error('killed')), { disk })
    await killed.ended()
    return await start(
      ({ ranges }, attempt) => {
        attempt.outputBegins()
        return ranges[0]!.from < 3 ? Promise.reject(lost()) : Promise.resolve()
      },
      { disk, canSplitRerun: false, ...options },
    )
  }

  test('of an earlier process, continues at the position of onLost before an output begins', async () => {
    const life = await again({ ends: ends(3) })
    expect(await life.ended()).toBeUndefined()
    const [first] = life.ran
    expect([first!.batchId, first!.timeMs, first!.ranges[0]!.from]).toEqual([0, 1_000_000, 3])
    expect(life.offsetLog.get(0)).toEqual(first)
  })

  test('of an earlier process, waits until the topics are available, or for a stop', async () => {
    let asked = 0
    const away = async () => (++asked > 3 ? await ends(3)() : undefined)
    const life = await again({ ends: away })
    expect(await life.ended()).toBeUndefined()
    expect(life.ran[0]!.ranges[0]!.from).toBe(3)
    const stopped: Life = await again({
      ends: async () => {
        stopped.loop.stop()
        return undefined
      },
    })
    expect(await stopped.ended()).toBeUndefined()
    expect(stopped.ran).toEqual([])
  })

  test('continues at the position of onLost when the loss is detected while the batch runs', async () => {
    let isLost = false
    const life = await start(
      ({ ranges }) => {
        if (ranges[0]!.from >= 3) return Promise.resolve()
        isLost = true
        return Promise.reject(lost())
      },
      {
        ends: async () => {
          const log = { topic: 't', latest: 8, earliest: 0 }
          const first = isLost ? { ...log, earliest: 3, resume: 3 } : log
          return [
            { ...first, partition: 0 },
            { ...log, partition: 1 },
          ]
        },
      },
    )
    expect(await life.ended()).toBeUndefined()
    expect(
      life.ran.map(({ batchId, timeMs, ranges }) => [batchId, timeMs, ranges[0]!.from]),
    ).toEqual([
      [0, 1_000_000, 0],
      [0, 1_000_000, 3],
    ])
  })

  test('fails without onLost', async () => {
    const life = await again({ ends: ends() })
    expect(await life.ended()).toMatchObject({
      code: 'OFFSETS_LOST',
      message: expect.stringMatching(/t-0 no longer has offsets 0 to 3/),
    })
    expect(life.ran).toEqual([])
  })

  test('does not wait for records that a broker has lost at the end of its log', async () => {
    const cut = (resume: boolean) => async (read: readonly OffsetRange[]) =>
      [0, 1].map((partition) => {
        const log = { topic: 't', partition, earliest: 0, latest: partition === 0 ? 5 : 8 }
        const isBeyond =
          (read.find((range) => range.partition === partition)?.until ?? 0) > log.latest
        return resume && isBeyond ? { ...log, resume: log.latest } : log
      })
    const disk = new MemoryDisk()
    const killed = await start(() => Promise.reject(new Error('killed')), { disk })
    await killed.ended()
    const failed = await start(() => Promise.resolve(), { disk, ends: cut(false) })
    expect(await failed.ended()).toMatchObject({
      code: 'OFFSETS_LOST',
      message: expect.stringMatching(/^t-0 ends at offset 5, but this job was to read it up to 8/),
    })
    expect(failed.ran).toEqual([])
    const goesOn: Life = await start(() => Promise.resolve(), {
      ...{ disk, ends: cut(true), onCommitted: () => goesOn.loop.stop() },
    })
    expect(await goesOn.ended()).toBeUndefined()
    expect(goesOn.ran.map(({ ranges }) => ranges.map(({ until }) => until))).toEqual([[5, 8]])
  })

  test('whose own records exist reads the remaining records of earlier batches again, or fails with an error', async () => {
    const failed = await start(() => Promise.reject(lost()))
    expect(await failed.ended()).toMatchObject({
      code: 'OFFSETS_LOST',
      message:
        'batch 0 cannot run: a window reads records of earlier batches again, and some of them are lost: gone',
    })
    expect(failed.ran).toHaveLength(1)
    let isLost = true
    const window = await start(() => (isLost ? Promise.reject(lost()) : Promise.resolve()), {
      forgetLost: () => {
        const wasLost = isLost
        isLost = false
        return wasLost
      },
    })
    expect(await window.ended()).toBeUndefined()
    expect(window.ran[1]).toBe(window.ran[0])
  })
})

describe('the work before a commit', () => {
  const rejected = (offset: number) => {
    const record = { topic: 't', partition: 0, offset, timestampMs: 5, error: 'bad' }
    return { ...record, onError: 'skip' } as const
  }

  test('gets the rejected records of the final attempt, each once', async () => {
    const offsets: number[][] = []
    const life = await start(
      async ({ ranges }, _attempt, { loop }) => {
        const told = { ...reportOf(), rejected: [rejected(offsetsIn(ranges)), rejected(1)] }
        for (let times = 0; times < 2; times++) loop.taskFinished(told)
        if (offsetsIn(ranges) > 8) throw tooLarge()
      },
      {
        beforeCommit: async (_batch, account) => {
          offsets.push(account.rejected.first.map(({ offset }) => offset))
        },
      },
    )
    expect(await life.ended()).toBeUndefined()
    // The second batch rejects records that the first batch has already reported.
    expect(offsets).toEqual([[8, 1], []])
  })

  test('fails the batch when the work fails, and the batch is not committed', async () => {
    const life = await start(async () => {}, { beforeCommit: () => Promise.reject(tooLarge()) })
    expect(await life.ended()).toMatchObject({ code: 'RESULT_TOO_LARGE' })
    expect(life.happened).toEqual([])
  })
})

test('every offset is committed once, whatever batch was too large and whenever the process died', async () => {
  const lives = fc.array(
    fc.record({ most: fc.integer({ min: 1, max: 20 }), runs: fc.integer({ min: 1, max: 8 }) }),
    { maxLength: 5 },
  )
  const lengths = fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 12 }))
  await fc.assert(
    fc.asyncProperty(lives, lengths, async (all, latest) => {
      const disk = new MemoryDisk()
      const ends = [0, 0]
      const onCommitted = ({ ranges }: OffsetLogEntry) => {
        for (const { partition, from, until } of ranges) {
          expect(from).toBe(ends[partition])
          ends[partition] = until
        }
      }
      for (const { most, runs } of [...all, { most: 20, runs: Infinity }]) {
        let left = runs
        const life: Life = await start(
          async ({ ranges }) => {
            if (left-- === 0) throw new Error('killed')
            if (offsetsIn(ranges) > most) throw tooLarge()
          },
          {
            ...{ disk, latest: [...latest], canSplitRerun: true },
            onCommitted: (batch) => {
              onCommitted(batch)
              if (ends.every((end, at) => end === latest[at])) life.loop.stop()
            },
          },
        )
        const end = await life.ended()
        if (end !== undefined) expect(end).toMatchObject({ message: 'killed' })
        if (end === undefined) break
      }
      expect(ends).toEqual(latest)
    }),
    { numRuns: 200 },
  )
})

test('halves are smaller, keep their starts and every partition, and the halving ends at one offset', () => {
  const lengths = fc.array(fc.nat(100), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(lengths, (all) => {
      let ranges = all.map((length, partition) => ({
        topic: 't',
        partition,
        from: 7,
        until: 7 + length,
      }))
      for (let smaller = halved(ranges); smaller; smaller = halved(ranges)) {
        expect(offsetsIn(smaller)).toBeLessThan(offsetsIn(ranges))
        expect(offsetsIn(smaller)).toBeGreaterThan(0)
        expect(smaller.map(({ partition, from }) => [partition, from])).toEqual(
          ranges.map(({ partition, from }) => [partition, from]),
        )
        ranges = smaller as typeof ranges
      }
      expect(offsetsIn(ranges)).toBe(Math.min(1, offsetsIn(ranges)))
    }),
  )
})
