// A directory whose job now has other code or another number of partitions: its operators find
// every state complete, whenever power fails during the change.

import { describe, expect, test } from 'vitest'
import {
  type PrepareOptions,
  prepareDirectory,
} from '../../../engine/savepoint/prepareDirectory.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { CrashingDisk, code, countsUpTo, directory, operator, SavedJob } from './savedJob.ts'

async function prepare(job: SavedJob, options: Partial<PrepareOptions> = {}) {
  const taken = await job.take()
  try {
    const { disk, partitions, now, states } = job
    return await prepareDirectory({ disk, directory: taken, partitions, now, states, ...options })
  } finally {
    await taken.lock.release()
  }
}

async function jobWith(disk: MemoryDisk, batches = 4, commitLast = true): Promise<SavedJob> {
  const job = new SavedJob(disk)
  await job.run(batches, { commitLast })
  return job
}

test('the same code and partitions change nothing', async () => {
  const disk = new MemoryDisk()
  const job = await jobWith(disk)
  const before = await disk.readFile(`${directory}/checkpoint/offsets`)
  expect(await prepare(job)).toEqual({ change: { kind: 'same' } })
  expect(await disk.readFile(`${directory}/checkpoint/offsets`)).toEqual(before)
})

test('a new directory is ready', async () => {
  expect(await prepare(new SavedJob(new MemoryDisk()))).toEqual({ change: { kind: 'same' } })
})

test('code that cannot continue is refused, and changes nothing', async () => {
  const disk = new MemoryDisk()
  const job = await jobWith(disk)
  job.now = { code: 'second', operators: [operator('ages', { kind: 'sessions' })] }
  await expect(prepare(job)).rejects.toMatchObject({
    code: 'JOB_CHANGED',
    message: expect.stringMatching(/job 'orders'.*\n.*operator 'ages' had the kind/),
  })
  job.now = code
  expect(await job.counts('ages')).toEqual(countsUpTo(4))
})

test('a state of earlier code is set aside; a state without an operator stays', async () => {
  const disk = new MemoryDisk()
  const job = await jobWith(disk)
  for (const operators of [[operator('genders')], [operator('ages'), operator('genders')]]) {
    job.now = { code: `with ${operators.length}`, operators }
    await prepare(job)
    await job.run(1)
  }
  expect(await job.counts('ages')).toEqual({ k5: 1 })
  expect(await job.counts('genders')).toEqual(countsUpTo(6))
  expect(await disk.list(`${directory}/stateAside`)).toEqual(['ages.1'])
})

test('after a change, the newest batch has the current code', async () => {
  const job = await jobWith(new MemoryDisk())
  job.now = { code: 'second', operators: [operator('genders')] }
  expect(await prepare(job)).toMatchObject({ change: { kind: 'continue', removed: ['ages'] } })
  const { batches } = await job.logs()
  expect(batches.at(-1)).toMatchObject({ batchId: 3, code: 'second', operators: job.now.operators })
  expect(batches.at(-2)).toMatchObject({ batchId: 2, code: 'first' })
  expect(await prepare(job)).toEqual({ change: { kind: 'same' } })
})

test('a directory in a later format is refused', async () => {
  const disk = new MemoryDisk()
  const job = await jobWith(disk, 1)
  const owner = '{"formatVersion":3,"name":"orders","partitions":2}'
  await disk.writeFileAtomic(`${directory}/job.json`, Buffer.from(owner))
  await expect(job.take()).rejects.toThrow(/newer version of Millrace \(format 3/)
})

// Whenever a crash happens, preparing again ends with the same states as without a crash.
const changes = [
  {
    what: 'more partitions, in the middle of a batch',
    partitions: 5,
    now: code,
    commitLast: false,
    aside: [],
  },
  { what: 'fewer partitions', partitions: 1, now: code, commitLast: true, aside: [] },
  {
    what: 'a state that moves to the place of another state',
    partitions: 2,
    now: {
      code: 'second',
      operators: [
        operator('genders'),
        operator('visits', { kind: 'sessions' }),
        operator('updateStateByKey-2', { isNamed: false }),
      ],
    },
    before: {
      code: 'first',
      operators: [
        operator('genders'),
        operator('updateStateByKey-1', { isNamed: false }),
        operator('updateStateByKey-2', { isNamed: true, kind: 'sessions' }),
      ],
    },
    discard: ['updateStateByKey-2'],
    commitLast: true,
    aside: ['updateStateByKey-2.1'],
  },
  {
    what: 'a state that moves, with more partitions',
    partitions: 3,
    now: {
      code: 'second',
      operators: [operator('visits', { kind: 'sessions' }), operator('ages', { isNamed: true })],
    },
    commitLast: true,
    aside: ['genders.1'],
  },
]

test.each(changes)('$what: states are complete, whenever power fails', async (change) => {
  const { partitions, now, commitLast, aside, before = code, discard } = change
  let isDone = false
  let steps = 0
  for (; !isDone; steps++) {
    const crashing = new CrashingDisk(steps)
    const { disk } = crashing
    const job = new SavedJob(disk)
    job.now = before
    await job.run(4, { commitLast })
    job.partitions = partitions
    job.now = now
    const work = () => prepare(job, { discard })
    isDone = await crashing.crashAfter(steps, work)
    await work()
    await job.run(2)
    const expected = countsUpTo(commitLast ? 6 : 5)
    for (const { uid, kind } of now.operators) {
      const isNew = kind === 'sessions'
      expect(await job.counts(uid)).toEqual(isNew ? { k4: 1, k5: 1 } : expected)
      if (!isNew) expect((await job.timers(uid)).length).toBe(Object.keys(expected).length)
    }
    const folder = `${directory}/stateAside`
    expect((await disk.stat(folder)) === undefined ? [] : await disk.list(folder)).toEqual(aside)
    expect(await disk.list(directory)).not.toContain('discarded')
    expect(await disk.list(directory)).not.toContain('change.json')
    expect(await disk.list(directory)).not.toContain('stateNew')
  }
  expect(steps).toBeGreaterThan(10)
})

describe('a missing state', () => {
  const aged = `${directory}/state/ages`

  test.each([aged, `${aged}/1`])(
    'is detected, whichever part of the state is missing (%s)',
    async (path) => {
      const disk = new MemoryDisk()
      const job = await jobWith(disk)
      await disk.remove(path)
      const folder = path === aged ? 'state/ages/0' : 'state/ages/1'
      await expect(prepare(job)).rejects.toMatchObject({
        code: 'STATE_MISSING',
        message: expect.stringContaining(`${folder} in ${directory} is missing or empty`),
      })
      expect(await job.logs()).toMatchObject({ committed: 3, states: ['ages', 'genders'] })
    },
  )

  test('is discarded with its uid, and its remaining files are set aside', async () => {
    const disk = new MemoryDisk()
    const job = await jobWith(disk)
    await disk.remove(`${aged}/1`)
    await prepare(job, { discard: ['ages'] })
    expect(await disk.list(`${directory}/stateAside`)).toEqual(['ages.1'])
    expect((await job.logs()).states).toEqual(['genders'])
    await job.run(1)
    expect(await job.counts('ages')).toEqual({ k4: 1 })
    expect(await job.counts('genders')).toEqual(countsUpTo(5))
  })

  test('does not matter when the code no longer has such an operator', async () => {
    const disk = new MemoryDisk()
    const job = await jobWith(disk)
    await disk.remove(aged)
    job.now = { code: 'second', operators: [operator('genders')] }
    await prepare(job)
    expect((await job.logs()).states).toEqual(['genders'])
  })

  test('is not redistributed over other partitions', async () => {
    const disk = new MemoryDisk()
    const job = await jobWith(disk)
    await disk.remove(aged)
    job.partitions = 3
    await expect(prepare(job)).rejects.toMatchObject({ code: 'STATE_MISSING' })
    await prepare(job, { discard: ['ages'] })
    expect((await job.logs()).states).toEqual(['genders'])
    expect(await job.counts('genders')).toEqual(countsUpTo(4))
  })

  test('is found under its new name', async () => {
    const disk = new MemoryDisk()
    const unnamed = (uid: string) => operator(uid, { isNamed: false })
    const job = new SavedJob(disk)
    job.now = { code: 'first', operators: [unnamed('updateStateByKey-0')] }
    await job.run(2)
    job.now = {
      code: 'second',
      operators: [operator('x', { kind: 'sessions' }), unnamed('updateStateByKey-1')],
    }
    await prepare(job)
    expect((await job.logs()).states).toEqual(['updateStateByKey-1'])
    await prepare(job)
  })
})
