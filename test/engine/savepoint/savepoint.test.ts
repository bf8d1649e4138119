// Savepoints: atomic, read back exactly, refused when damaged. A job starts from a savepoint with
// other code, another name and any number of partitions, even if power fails during the start.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeEntry } from '../../../engine/checkpoint/entryFormat.ts'
import type { CodeOfNow } from '../../../engine/contract/codeChange.ts'
import { saveJob } from '../../../engine/savepoint/saveJob.ts'
import { openSavepoint } from '../../../engine/savepoint/savepoint.ts'
import { type StartFromOptions, startFrom } from '../../../engine/savepoint/startFrom.ts'
import { readStateFile, writeStateFile } from '../../../engine/savepoint/stateFile.ts'
import type { StateEntry } from '../../../engine/state/stateEntry.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { makeDurable } from './diskStates.ts'
import { CrashingDisk, code, countsUpTo, directory, operator, SavedJob } from './savedJob.ts'

const target = '/savepoints/friday'
const fresh = '/jobs/orders-again'

function save(job: SavedJob, to = target) {
  const { disk, states } = job
  return saveJob({ disk, directory: job.directory, target: to, millrace: '1.2.3', states })
}

async function savedJob(disk = new MemoryDisk(), commitLast = true): Promise<SavedJob> {
  const job = new SavedJob(disk)
  await job.run(4, { commitLast })
  await makeDurable(disk, '/savepoints')
  await save(job)
  return job
}

/** Starts the savepoint's job in a new directory. */
async function start(disk: MemoryDisk, partitions = 2, options: Partial<StartFromOptions> = {}) {
  const again = new SavedJob(disk)
  again.directory = fresh
  again.partitions = partitions
  again.now = options.now ?? code
  const { states } = again
  const runtime = { disk, random: seededRandom(9) }
  await makeDurable(disk, fresh)
  const started = await startFrom({
    ...{ runtime, savepoint: target, directory: fresh, states, now: code },
    job: { name: 'orders', partitions },
    ...options,
  })
  return { again, started }
}

describe('a savepoint', () => {
  test('has the contents of a job as of its newest committed batch', async () => {
    const { disk } = await savedJob()
    const { manifest, id } = await openSavepoint(disk, target)
    expect(id).toMatch(/^[0-9a-f]{16}$/)
    expect(manifest).toMatchObject({
      ...{ formatVersion: 1, millrace: '1.2.3', job: 'orders', partitions: 2 },
      commit: {
        batchId: 3,
        recordsTotal: 4,
        eventTimes: { clicks: { 'orders-0': { timeMs: 30, batchTimeMs: 4000 } } },
      },
      states: [
        { operator: operator('ages'), file: 'ages.state', entries: 8 },
        { operator: operator('genders'), file: 'genders.state', entries: 8 },
      ],
    })
    expect(manifest.batches.map(({ batchId }) => batchId)).toEqual([0, 1, 2, 3])
    expect(manifest.batches.at(-1)).toMatchObject({
      ...{ timeMs: 4000, code: 'first', watermarks: { clicks: 25 } },
      ranges: [{ topic: 'orders', topicId: 'id', partition: 0, from: 3, until: 4 }],
    })
  })

  test('is refused for a job with a missing state', async () => {
    const job = new SavedJob(new MemoryDisk())
    await job.run(2)
    await job.disk.remove(`${directory}/state/ages`)
    await expect(save(job)).rejects.toMatchObject({ code: 'STATE_MISSING' })
    expect(await job.disk.stat(target)).toBeUndefined()
  })

  test('omits a batch that ran but is not committed', async () => {
    const { disk } = await savedJob(undefined, false)
    const { manifest } = await openSavepoint(disk, target)
    expect(manifest.commit.batchId).toBe(2)
    expect(manifest.states.map(({ entries }) => entries)).toEqual([6, 6])
    const { again } = await start(disk)
    await again.run(3)
    expect(await again.counts('ages')).toEqual(countsUpTo(6))
  })

  test('does not overwrite another savepoint, and requires a stopped job that has committed a batch', async () => {
    const job = await savedJob()
    await expect(save(job)).rejects.toMatchObject({ code: 'SAVEPOINT_INVALID' })
    const { lock } = await job.take()
    await expect(save(job, '/savepoints/other')).rejects.toMatchObject({
      code: 'JOB_ALREADY_RUNNING',
    })
    await lock.release()
    job.directory = '/nowhere'
    await expect(save(job, '/savepoints/other')).rejects.toThrow(
      "/nowhere is not a job's directory",
    )
    const empty = new SavedJob(job.disk)
    empty.directory = '/jobs/empty'
    await (await empty.take()).lock.release()
    await expect(save(empty, '/savepoints/other')).rejects.toThrow('has not committed a batch yet')
  })

  test('does not change the job', async () => {
    const job = await savedJob()
    await job.run(2)
    expect(await job.counts('genders')).toEqual(countsUpTo(6))
  })

  test('that cannot be written leaves no file behind', async () => {
    const job = await savedJob()
    const { disk, states } = job
    async function* cut() {
      for await (const chunk of states.exportState(`${directory}/state/ages`, 2, 3)) yield chunk
      throw new Error('ENOSPC: no space left on device')
    }
    const failing = {
      isNew: async () => false,
      exportState: cut,
    }
    const options = { disk, directory, target: '/savepoints/full', millrace: '1.2.3' }
    await expect(saveJob({ ...options, states: failing })).rejects.toThrow('ENOSPC')
    expect(await disk.list('/savepoints')).toEqual(['friday'])
    await saveJob({ ...options, states })
  })

  test('is complete or absent, whenever power fails', async () => {
    let isDone = false
    let steps = 0
    for (; !isDone; steps++) {
      const crashing = new CrashingDisk(steps)
      const job = new SavedJob(crashing.disk)
      await job.run(4)
      await makeDurable(crashing.disk, '/savepoints')
      isDone = await crashing.crashAfter(steps, () => save(job))
      const isThere = (await crashing.disk.stat(target)) !== undefined
      if (isDone) expect(isThere).toBe(true)
      if (!isThere) await save(job)
      await openSavepoint(crashing.disk, target)
      const { again } = await start(crashing.disk, 3)
      await again.run(2)
      expect(await again.counts('genders')).toEqual(countsUpTo(6))
      expect(await crashing.disk.list('/savepoints')).toContain('friday')
    }
    expect(steps).toBeGreaterThan(10)
  })

  test.each(['manifest', 'ages.state', 'genders.state'])(
    'with a damaged %s is refused, wherever the damage is, and nothing is written',
    async (name) => {
      const { disk } = await savedJob()
      const path = `${target}/${name}`
      const content = (await disk.readFile(path))!
      for (let at = 0; at < content.length; at += 7) {
        const flipped = Buffer.from(content)
        flipped[at]! ^= 0x10
        await disk.writeFileAtomic(path, flipped)
        await expect(openSavepoint(disk, target)).rejects.toMatchObject({
          code: 'SAVEPOINT_INVALID',
          message: expect.stringMatching(
            /^savepoint \/savepoints\/friday: .*start from another one/,
          ),
        })
      }
      for (const cut of [0, 1, 8, content.length - 1]) {
        await disk.writeFileAtomic(path, content.subarray(0, cut))
        await expect(start(disk)).rejects.toMatchObject({ code: 'SAVEPOINT_INVALID' })
      }
      await disk.remove(path)
      await expect(start(disk)).rejects.toMatchObject({ code: 'SAVEPOINT_INVALID' })
      expect(await disk.list(fresh)).toEqual([])
    },
  )

  test('in a later format is refused', async () => {
    const { disk } = await savedJob()
    const later = Buffer.from('{"formatVersion":2,"millrace":"9.0.0"}')
    await disk.writeFileAtomic(`${target}/manifest`, encodeEntry(later))
    await expect(openSavepoint(disk, target)).rejects.toThrow(
      /written by Millrace 9\.0\.0 in format 2/,
    )
  })
})

describe('a job starts from a savepoint', () => {
  test.each([1, 2, 5])('with %d partitions, where the saved job stopped', async (partitions) => {
    const { disk } = await savedJob()
    const { again, started } = await start(disk, partitions)
    expect(started).toMatchObject({ kind: 'started', change: { kind: 'same' } })
    expect(await again.counts('ages')).toEqual(countsUpTo(4))
    expect(await again.timers('ages')).toHaveLength(4)
    await again.run(3)
    expect(await again.counts('genders')).toEqual(countsUpTo(7))
    const { batches, committed } = await again.logs()
    expect(committed).toBe(6)
    expect(batches.at(-1)!.ranges[0]).toMatchObject({ from: 6, until: 7, topicId: 'id' })
  })

  test('under another name', async () => {
    const { disk } = await savedJob()
    const job = { name: 'copy', partitions: 2 }
    const { started } = await start(disk, 2, { job })
    expect(started.kind).toBe('started')
    expect(JSON.parse((await disk.readFile(`${fresh}/job.json`))!.toString())).toMatchObject(job)
  })

  test('with other code, by the rules of a code change', async () => {
    const { disk } = await savedJob()
    const operators = [operator('visits', { kind: 'sessions' }), operator('genders')]
    const now: CodeOfNow = { code: 'second', operators }
    const { again, started } = await start(disk, 3, { now })
    expect(started).toMatchObject({ change: { added: ['visits'], removed: ['ages'] } })
    await again.run(1)
    expect(await again.counts('visits')).toEqual({ k4: 1 })
    expect(await again.counts('genders')).toEqual(countsUpTo(5))
    expect(await disk.list(`${fresh}/state`)).toEqual(['genders', 'visits'])
  })

  test('and is refused with code that cannot continue', async () => {
    const { disk } = await savedJob()
    const now = { code: 'second', operators: [operator('ages', { codec: 'other' })] }
    await expect(start(disk, 2, { now })).rejects.toMatchObject({ code: 'JOB_CHANGED' })
    expect(await disk.list(fresh)).toEqual([])
    const { again } = await start(disk, 2, { now, discard: ['ages'] })
    await again.run(1)
    expect(await again.counts('ages')).toEqual({ k4: 1 })
  })

  test('only once: after a restart, it continues where it stopped', async () => {
    const { disk } = await savedJob()
    const { again } = await start(disk)
    await again.run(2)
    expect((await start(disk)).started).toEqual({ kind: 'continues' })
    expect(await again.counts('ages')).toEqual(countsUpTo(6))
  })

  test('but not in the directory of a job that has run', async () => {
    const { disk } = await savedJob()
    await expect(start(disk, 2, { directory })).rejects.toMatchObject({
      code: 'JOB_OPTION_INVALID',
      message: expect.stringContaining("belongs to job 'orders', which has already run"),
    })
  })

  test('completely or not at all, whenever power fails', async () => {
    let isDone = false
    let steps = 0
    for (; !isDone; steps++) {
      const crashing = new CrashingDisk(steps)
      const { disk } = await savedJob(crashing.disk)
      await makeDurable(disk, fresh)
      isDone = await crashing.crashAfter(steps, () => start(disk, 3))
      const { again, started } = await start(disk, 3)
      if (isDone) expect(started.kind).toBe('continues')
      expect(await again.counts('ages')).toEqual(countsUpTo(4))
      await again.run(2)
      expect(await again.counts('genders')).toEqual(countsUpTo(6))
    }
    expect(steps).toBeGreaterThan(10)
  })
})

describe('the file of a state', () => {
  const keys = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\ud800'), fc.constant(''))
  const value = fc.record({
    kind: fc.constant('value' as const),
    key: keys,
    value: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  })
  const timer = fc.record({
    kind: fc.constant('timer' as const),
    timer: fc.record({
      domain: fc.constantFrom('event' as const, 'processing' as const),
      timeMs: fc.maxSafeInteger(),
      key: keys,
      tag: fc.integer({ min: 0, max: 255 }),
    }),
  })
  const chunks = fc.array(fc.array(fc.oneof(value, timer), { maxLength: 5 }), { maxLength: 5 })

  async function* each(groups: readonly (readonly StateEntry[])[]) {
    yield* groups
  }

  test('returns every entry', async () => {
    await fc.assert(
      fc.asyncProperty(chunks, async (groups) => {
        const disk = new MemoryDisk()
        const size = await writeStateFile(disk, '/state', each(groups))
        const read: StateEntry[] = []
        for await (const chunk of readStateFile(disk, '/state', size)) read.push(...chunk)
        expect(read).toEqual(groups.flat())
      }),
    )
  })

  test('is read in frames of limited size', async () => {
    const entries = Array.from({ length: 50 }, (_, at): StateEntry => {
      return { kind: 'value', key: `k${at}`, value: Buffer.alloc(100_000, at) }
    })
    const disk = new MemoryDisk()
    const size = await writeStateFile(disk, '/state', each([entries]))
    for await (const chunk of readStateFile(disk, '/state', size)) {
      expect(chunk.length).toBeLessThan(5)
    }
    const more = { ...size, entries: 51 }
    const reading = async () => {
      for await (const _chunk of readStateFile(disk, '/state', more));
    }
    await expect(reading()).rejects.toThrow('it has 50 entries, expected 51')
  })
})
