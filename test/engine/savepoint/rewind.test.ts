// The positions to which a stopped job can be rewound, the effect on its state, and that a crash
// leaves the job either unchanged or rewound.

import { describe, expect, test } from 'vitest'
import { type RewindJobOptions, rewindJob } from '../../../engine/savepoint/rewind.ts'
import type { Position, RewindTarget } from '../../../engine/savepoint/rewindPlan.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { CrashingDisk, countsUpTo, directory, SavedJob } from './savedJob.ts'

async function jobAfter(batches: number, commitLast = true): Promise<SavedJob> {
  const job = new SavedJob(new MemoryDisk())
  await job.run(batches, { commitLast })
  return job
}

function rewind(job: SavedJob, target: RewindTarget, options: Partial<RewindJobOptions> = {}) {
  const { disk, states } = job
  return rewindJob({ disk, directory: job.directory, target, states, ...options })
}

const toBatch = (batchId: number): RewindTarget => ({ kind: 'batch', batchId })
const toOffset = (offset: number, more: Partial<Position> = {}): RewindTarget => {
  return { kind: 'offsets', positions: [{ topic: 'orders', partition: 0, offset, ...more }] }
}

/** Returns the offset of partition 0 at which the next batch begins. */
async function position(job: SavedJob): Promise<number> {
  const { batches } = await job.logs()
  return batches.at(-1)!.ranges.find(({ partition }) => partition === 0)!.until
}

describe('to a batch', () => {
  test.each([
    [5, 4],
    [5, 3],
    [5, 2],
  ])(
    'of %d batches, back to batch %d: restores its state and its positions',
    async (batches, batchId) => {
      const job = await jobAfter(batches)
      expect(await rewind(job, toBatch(batchId))).toMatchObject({ kind: 'undo', batchId })
      expect(await position(job)).toBe(batchId + 1)
      expect((await job.logs()).committed).toBe(batchId)
      await job.run(4)
      expect(await job.counts('ages')).toEqual(countsUpTo(batchId + 5))
    },
  )

  test('after an uncommitted batch has changed the state', async () => {
    const job = await jobAfter(5, false)
    await rewind(job, toBatch(2))
    await job.run(3)
    expect(await job.counts('ages')).toEqual(countsUpTo(6))
  })

  test('by its time: the newest batch at or before that time', async () => {
    const job = await jobAfter(5)
    expect(await rewind(job, { kind: 'time', timeMs: 4999 })).toMatchObject({ batchId: 3 })
    const target: RewindTarget = { kind: 'time', timeMs: 5 }
    await expect(rewind(job, target)).rejects.toThrow('no batch from that time is kept any more')
  })

  test('restores the event times of that batch', async () => {
    const job = await jobAfter(5)
    const plan = await rewind(job, toBatch(3))
    expect(plan).toMatchObject({ kind: 'undo' })
    const { commits } = plan as Extract<typeof plan, { kind: 'undo' }>
    expect(commits.at(-1)!.eventTimes!.clicks!['orders-0']!.timeMs).toBe(30)
  })

  test.each([
    [toBatch(5), {}, 'batch 5 is not committed; the newest committed batch is 4'],
    [
      toBatch(1),
      {},
      /state can be rolled back to the end of batch 2 at most.*--reset-state.*job submit --from/,
    ],
    [toBatch(-7), { resetState: true }, 'batch -7 is no longer kept; the oldest is batch 0'],
    [toBatch(3), { keepState: true }, '--keep-state is for offsets only'],
    [toBatch(3), { keepState: true, resetState: true }, 'either reset or kept'],
  ])('%j with %j is refused', async (target, options, message) => {
    const job = await jobAfter(5)
    await expect(rewind(job, target, options)).rejects.toThrow(message)
    expect(await position(job)).toBe(5)
    await job.run(1)
    expect(await job.counts('ages')).toEqual(countsUpTo(6))
  })

  test('beyond the undo records of an imported state is refused', async () => {
    const job = await jobAfter(5)
    const { states, disk } = job
    const state = `${directory}/state/ages`
    const chunks = states.exportState(state, 2, 4)
    await states.importState(state, 2, 4, chunks)
    await expect(rewind(job, toBatch(3))).rejects.toThrow(
      /state in .*ages cannot be rolled back to batch 3; reset the state/,
    )
    expect(await rewind(job, toBatch(4))).toMatchObject({ kind: 'undo' })
    expect(await disk.list(directory)).not.toContain('change.json')
  })

  test('with the state reset: counts from that batch on, under new batch ids', async () => {
    const job = await jobAfter(5)
    await rewind(job, toBatch(1), { resetState: true })
    expect(await job.counts('ages')).toEqual({})
    await job.run(2)
    expect(await job.counts('ages')).toEqual({ k2: 1, k3: 1 })
    const { batches, committed } = await job.logs()
    expect(batches.map(({ batchId }) => batchId)).toEqual([5, 6, 7])
    expect(committed).toBe(7)
  })
})

describe('to offsets', () => {
  test('of a job with state requires an option for the state', async () => {
    const job = await jobAfter(3)
    await expect(rewind(job, toOffset(1))).rejects.toThrow(
      /records that are read again would count twice in the state: reset the state \(--reset-state\), keep it/,
    )
    expect(await position(job)).toBe(3)
  })

  test('with the state kept: records that are read again count again', async () => {
    const job = await jobAfter(3)
    expect(await rewind(job, toOffset(1), { keepState: true })).toMatchObject({ supersedes: false })
    // The first batch is that of the rewind, and is empty.
    await job.run(3)
    expect(await job.counts('ages')).toEqual({ k0: 1, k1: 2, k2: 2 })
  })

  test('with the state kept, past offsets that an uncommitted batch cannot read', async () => {
    const job = await jobAfter(3, false)
    expect(await rewind(job, toOffset(7), { keepState: true })).toMatchObject({ supersedes: true })
    await job.run(2)
    expect(await job.counts('ages')).toEqual({ k0: 1, k1: 1, k7: 1 })
    const { batches } = await job.logs()
    expect(batches.map(({ batchId }) => batchId)).toEqual([0, 1, 2, 3])
  })

  test('with the state reset', async () => {
    const job = await jobAfter(3, false)
    await rewind(job, toOffset(1), { resetState: true })
    await job.run(1)
    expect(await job.counts('genders')).toEqual({ k1: 1 })
  })

  test('of a job without state', async () => {
    const job = new SavedJob(new MemoryDisk())
    job.now = { code: 'stateless', operators: [] }
    await job.run(3)
    expect(await rewind(job, toOffset(1))).toMatchObject({ kind: 'reset' })
    expect(await position(job)).toBe(1)
  })

  test('of a partition that the job has not read; others keep their positions', async () => {
    const job = await jobAfter(3)
    await rewind(job, toOffset(9, { partition: 4, topicId: 'id' }), { keepState: true })
    const { batches } = await job.logs()
    expect(batches.at(-1)!.ranges).toEqual([
      { topic: 'orders', topicId: 'id', partition: 0, from: 3, until: 3 },
      { topic: 'orders', topicId: 'id', partition: 4, from: 9, until: 9 },
    ])
  })

  test('of a topic that was created again, for all of its partitions', async () => {
    const job = await jobAfter(3)
    const other = toOffset(9, { partition: 4, topicId: 'other' })
    await expect(rewind(job, other, { keepState: true })).rejects.toThrow(
      'topic orders was deleted and created again; give a position for each',
    )
    await rewind(job, toOffset(0, { topicId: 'other' }), { keepState: true })
    const { batches } = await job.logs()
    expect(batches.at(-1)!.ranges).toEqual([
      { topic: 'orders', topicId: 'other', partition: 0, from: 0, until: 0 },
    ])
  })

  test.each([-1, 1.5, Number.NaN])('that are invalid (%d) are refused', async (offset) => {
    const job = await jobAfter(1)
    await expect(rewind(job, toOffset(offset), { keepState: true })).rejects.toThrow('no offset')
  })

  test('given twice are refused', async () => {
    const job = await jobAfter(1)
    const positions = [1, 2].map((offset) => ({ topic: 'orders', partition: 0, offset }))
    const target: RewindTarget = { kind: 'offsets', positions }
    await expect(rewind(job, target, { keepState: true })).rejects.toThrow('has two positions')
  })
})

test('a job that is running, or has not planned a batch, cannot be rewound', async () => {
  const job = await jobAfter(2)
  const { lock } = await job.take()
  await expect(rewind(job, toBatch(0))).rejects.toMatchObject({ code: 'JOB_ALREADY_RUNNING' })
  await lock.release()
  const empty = new SavedJob(job.disk)
  empty.directory = '/jobs/empty'
  await (await empty.take()).lock.release()
  await expect(rewind(empty, toBatch(0))).rejects.toThrow('has not planned a batch yet')
})

const rewinds = [
  { what: 'with its state', target: toBatch(2), options: {}, after: countsUpTo(7), done: 3 },
  {
    what: 'with its state reset',
    target: toBatch(2),
    options: { resetState: true },
    after: { k3: 1, k4: 1, k5: 1, k6: 1 },
    done: 3,
  },
  {
    what: 'to offsets, with its state kept',
    target: toOffset(3),
    options: { keepState: true },
    after: { ...countsUpTo(7), k3: 2, k4: 2 },
    done: 3,
  },
]

test.each(rewinds)(
  'a job is rewound $what or not at all, whenever power fails',
  async (rewound) => {
    const { target, options, after, done } = rewound
    let isDone = false
    let steps = 0
    for (; !isDone; steps++) {
      const crashing = new CrashingDisk(steps)
      const job = new SavedJob(crashing.disk)
      await job.run(5)
      isDone = await crashing.crashAfter(steps, () => rewind(job, target, options))
      const reached = await position(job)
      if (isDone) expect(reached).toBe(done)
      expect([5, done]).toContain(reached)
      if (reached === done) while ((await position(job)) < 7) await job.run(1)
      else await job.run(2)
      expect(await job.counts('ages')).toEqual(reached === done ? after : countsUpTo(7))
      expect(await job.counts('genders')).toEqual(reached === done ? after : countsUpTo(7))
    }
    expect(steps).toBeGreaterThan(target.kind === 'batch' ? 10 : 2)
  },
)
