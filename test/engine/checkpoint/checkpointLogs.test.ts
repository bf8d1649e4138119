// The offset log and the commit log on a disk that loses power at any moment and tears writes:
// acknowledged entries survive, and entries that were never appended do not appear.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { encodeEntry } from '../../../engine/checkpoint/entryFormat.ts'
import { OffsetLog, type OffsetLogEntry } from '../../../engine/checkpoint/offsetLog.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

const path = '/jobs/orders/offsets'

function entry(batchId: number, paddingBytes = 0): OffsetLogEntry {
  return {
    batchId,
    timeMs: 1000 * batchId,
    ranges: [
      {
        topic: `orders${'x'.repeat(paddingBytes)}`,
        partition: 0,
        from: batchId,
        until: batchId + 1,
      },
      { topic: 'orders', partition: 1, from: 0, until: 2 ** 40 },
    ],
  }
}

function batchIds(entries: readonly OffsetLogEntry[]): number[] {
  return entries.map(({ batchId }) => batchId)
}

async function filled(disk: MemoryDisk, count: number, paddingBytes = 0): Promise<OffsetLog> {
  const log = await OffsetLog.open(disk, path)
  for (let batchId = 0; batchId < count; batchId++) await log.append(entry(batchId, paddingBytes))
  return log
}

describe('the offset log', () => {
  test('is empty at first', async () => {
    const log = await OffsetLog.open(new MemoryDisk(), path)
    expect(log.latest()).toBeUndefined()
    expect(log.get(0)).toBeUndefined()
    expect(log.range(0, 10)).toEqual([])
    await log.prune(5)
  })

  test('returns the entries that were appended, before and after reopening', async () => {
    const disk = new MemoryDisk()
    const first = await filled(disk, 5)
    await first.close()
    for (const log of [first, await OffsetLog.open(disk, path)]) {
      expect(log.latest()).toEqual(entry(4))
      expect(log.get(2)).toEqual(entry(2))
      expect(log.get(5)).toBeUndefined()
      expect(log.get(-1)).toBeUndefined()
      expect(batchIds(log.range(1, 4))).toEqual([1, 2, 3])
    }
  })

  test('may start at any batch; ids are then consecutive and unique', async () => {
    const log = await OffsetLog.open(new MemoryDisk(), path)
    await log.append(entry(7))
    await expect(log.append(entry(7))).rejects.toThrow('does not follow')
    await expect(log.append(entry(9))).rejects.toThrow('does not follow')
    await log.append(entry(8))
    expect(batchIds(log.range(0, 100))).toEqual([7, 8])
  })

  test('pruning drops old entries, never the newest, and eventually shrinks the file', async () => {
    const disk = new MemoryDisk()
    const log = await filled(disk, 300, 1000)
    const before = (await disk.stat(path))!.sizeBytes
    await log.prune(2)
    expect((await disk.stat(path))!.sizeBytes).toBe(before)
    await log.prune(1000)
    expect(batchIds(log.range(0, 1000))).toEqual([299])
    expect((await disk.stat(path))!.sizeBytes).toBeLessThan(before / 100)
    await log.append(entry(300))
    disk.crash()
    expect(batchIds((await OffsetLog.open(disk, path)).range(0, 1000))).toEqual([299, 300])
  })

  test('keeps acknowledged entries, whenever power fails', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.boolean(), fc.nat(40), async (seed, reorder, crashAfter) => {
        const random = seededRandom(seed)
        let left = crashAfter
        const disk: MemoryDisk = new MemoryDisk({
          beforeChange: () => {
            if (left-- === 0) disk.crash({ keepUnsynced: random, reorder })
          },
        })
        let acknowledged = -1
        let pruned = 0
        let attempted = -1
        try {
          const log = await OffsetLog.open(disk, path)
          for (attempted = 0; attempted < 12; attempted++) {
            await log.append(entry(attempted, 9000))
            acknowledged = attempted
            if (attempted % 5 === 4) {
              pruned = attempted - 1
              await log.prune(pruned)
            }
          }
        } catch (error) {
          expect(left).toBeLessThan(0)
          expect(String((error as { cause?: unknown }).cause ?? error)).toContain('ECRASHED')
        }
        left = -1 // no further crash in this run
        disk.crash({ keepUnsynced: random, reorder })
        const log = await OffsetLog.open(disk, path)
        const found = log.range(0, 1000)
        expect(found).toEqual(found.map(({ batchId }) => entry(batchId, 9000)))
        const last = found.at(-1)?.batchId ?? -1
        expect(last === acknowledged || last === attempted).toBe(true)
        if (acknowledged >= 0) expect(found[0]!.batchId).toBeLessThanOrEqual(pruned)
        await log.append(entry(last + 1))
      }),
      { numRuns: 300 },
    )
  })

  test('the newest batch can be planned again: the later plan applies, before and after reopening', async () => {
    const disk = new MemoryDisk()
    const first = await filled(disk, 3)
    const smaller = { ...entry(2), ranges: entry(2).ranges.slice(0, 1) }
    const smallest = { ...smaller, ranges: [] }
    await first.supersede(smaller)
    await first.supersede(smallest)
    await expect(first.supersede(entry(1))).rejects.toThrow('must not supersede batch 2')
    await expect(first.supersede(entry(3))).rejects.toThrow('must not supersede batch 2')
    await first.append(entry(3))
    const expected = [entry(0), entry(1), smallest, entry(3)]
    expect(first.range(0, 10)).toEqual(expected)
    disk.crash()
    const again = await OffsetLog.open(disk, path)
    expect(again.range(0, 10)).toEqual(expected)
    expect(again.get(2)).toEqual(smallest)
  })

  test('an empty log has no batch to supersede', async () => {
    const log = await OffsetLog.open(new MemoryDisk(), path)
    await expect(log.supersede(entry(0))).rejects.toThrow('must not supersede batch undefined')
  })

  test('superseded plans do not make the file grow', async () => {
    const disk = new MemoryDisk()
    const log = await filled(disk, 2, 1000)
    for (let times = 0; times < 300; times++) await log.supersede(entry(1, 1000))
    const again = await OffsetLog.open(disk, path)
    await again.prune(1)
    expect((await disk.stat(path))!.sizeBytes).toBeLessThan(10_000)
    expect(again.latest()).toEqual(entry(1, 1000))
  })

  test('one of two plans of a batch is complete, whenever power fails', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.boolean(), fc.nat(30), async (seed, reorder, crashAfter) => {
        const random = seededRandom(seed)
        let left = crashAfter
        const disk: MemoryDisk = new MemoryDisk({
          beforeChange: () => {
            if (left-- === 0) disk.crash({ keepUnsynced: random, reorder })
          },
        })
        const replanned = (batchId: number) => ({ ...entry(batchId, 9000), timeMs: -batchId - 1 })
        let acknowledged: OffsetLogEntry | undefined
        let attempted: OffsetLogEntry | undefined
        try {
          const log = await OffsetLog.open(disk, path)
          for (let batchId = 0; batchId < 6; batchId++) {
            attempted = entry(batchId, 9000)
            await log.append(attempted)
            acknowledged = attempted
            attempted = replanned(batchId)
            await log.supersede(attempted)
            acknowledged = attempted
            await log.prune(batchId - 1)
          }
        } catch {
          expect(left).toBeLessThan(0)
        }
        left = -1
        disk.crash({ keepUnsynced: random, reorder })
        const log = await OffsetLog.open(disk, path)
        const found = log.range(0, 1000)
        expect([acknowledged, attempted]).toContainEqual(found.at(-1))
        for (const each of found.slice(0, -1)) expect(each).toEqual(replanned(each.batchId))
      }),
      { numRuns: 300 },
    )
  })

  test('is also durable in new directories', async () => {
    const disk = new MemoryDisk()
    await filled(disk, 1)
    disk.crash()
    expect((await OffsetLog.open(disk, path)).latest()).toEqual(entry(0))
  })

  test('refuses appends after a failed write until it is reopened', async () => {
    let isFull = false
    const disk = new MemoryDisk({
      beforeChange: (operation) => {
        if (isFull && operation === 'sync') throw new Error('no space left on device')
      },
    })
    const log = await filled(disk, 2)
    isFull = true
    const failure = { code: 'CHECKPOINT_FAILED', message: expect.stringContaining('no space') }
    await expect(log.append(entry(2))).rejects.toMatchObject(failure)
    isFull = false
    await expect(log.append(entry(2))).rejects.toMatchObject(failure)
    expect(log.latest()).toEqual(entry(1))
    disk.crash()
    expect((await OffsetLog.open(disk, path)).latest()).toEqual(entry(1))
  })

  test('two concurrent appends violate an invariant', async () => {
    const log = await OffsetLog.open(new MemoryDisk(), path)
    const first = log.append(entry(0))
    await expect(log.append(entry(0))).rejects.toThrow('one writer')
    await first
  })
})

describe('a damaged offset log', () => {
  async function withContent(content: Buffer): Promise<Promise<OffsetLog>> {
    const disk = new MemoryDisk()
    await disk.makeDirectory('/jobs/orders')
    await disk.writeFileAtomic(path, content)
    return OffsetLog.open(disk, path)
  }
  const encode = (value: unknown) => encodeEntry(Buffer.from(JSON.stringify(value)))
  const damage = { code: 'CHECKPOINT_DAMAGED' }

  test('in the middle is refused and left unchanged, because truncation would lose acknowledged entries', async () => {
    const disk = new MemoryDisk()
    await filled(disk, 3)
    const file = await disk.open(path, 'write')
    await file.write([Buffer.from('!')], 20)
    const content = await disk.readFile(path)
    await expect(OffsetLog.open(disk, path)).rejects.toMatchObject(damage)
    expect(await disk.readFile(path)).toEqual(content)
  })

  test.each<[string, Buffer]>([
    ['text that is not JSON', encodeEntry(Buffer.from('{'))],
    ['null', encode(null)],
    ['no ranges', encode({ batchId: 1, timeMs: 1 })],
    ['a range without offsets', encode({ batchId: 1, timeMs: 1, ranges: [{ topic: 't' }] })],
    ['a watermark that is not a time', encode({ ...entry(1), watermarks: { w: null } })],
    ['watermarks without uids', encode({ ...entry(1), watermarks: [5] })],
    ['a code version that is not a string', encode({ ...entry(1), code: 5 })],
    ['an operator without a kind', encode({ ...entry(1), operators: [{ uid: 'a' }] })],
    ['operators that are not a list', encode({ ...entry(1), operators: {} })],
    ['an end without an offset', encode({ ...entry(1), deadLetterEnds: [{ topic: 't' }] })],
    ['a repeated batch', Buffer.concat([encode(entry(1)), encode(entry(2)), encode(entry(1))])],
    ['a missing batch', Buffer.concat([encode(entry(1)), encode(entry(3))])],
  ])('%s is refused', async (_what, content) => {
    await expect(withContent(content)).rejects.toMatchObject(damage)
  })
})

describe('the format of entries', () => {
  const encode = (value: unknown) => encodeEntry(Buffer.from(JSON.stringify(value)))

  async function diskWith(file: string, ...entries: unknown[]): Promise<MemoryDisk> {
    const disk = new MemoryDisk()
    await disk.makeDirectory('/jobs/orders')
    await disk.writeFileAtomic(file, Buffer.concat(entries.map(encode)))
    return disk
  }

  test('entries without a version are read, and new entries have one', async () => {
    const disk = await diskWith(path, { ...entry(7), recordsTotal: 12 })
    const log = await OffsetLog.open(disk, path)
    expect(log.latest()).toEqual({ ...entry(7), recordsTotal: 12 })
    const ranges = entry(8).ranges.map((range) => {
      return { ...range, topicId: 'an id', isolation: 'committed' as const }
    })
    await log.append({ ...entry(8), ranges })
    await log.close()
    expect((await OffsetLog.open(disk, path)).latest()).toEqual({ ...entry(8), ranges })
    expect((await disk.readFile(path))!.toString()).toMatch(/"formatVersion":2,"batchId":8/)
  })

  test('unknown fields within a version are preserved', async () => {
    const disk = await diskWith(path, { formatVersion: 1, ...entry(0), watermarkMs: 5 })
    expect((await OffsetLog.open(disk, path)).latest()).toEqual({ ...entry(0), watermarkMs: 5 })
  })

  test('a newer format is refused, and the file is unchanged', async () => {
    const newer = { formatVersion: 3, ...entry(0) }
    const disk = await diskWith(path, newer)
    const before = await disk.readFile(path)
    await expect(OffsetLog.open(disk, path)).rejects.toMatchObject({
      code: 'CHECKPOINT_NEWER',
      message: expect.stringMatching(/offsets was written by a newer version.*format 3.*up to 2/),
    })
    expect(await disk.readFile(path)).toEqual(before)
    const commits = '/jobs/orders/commits'
    const other = await diskWith(commits, { formatVersion: 3, batchId: 1 })
    await expect(CommitLog.open(other, commits)).rejects.toMatchObject({ code: 'CHECKPOINT_NEWER' })
  })

  test('a batch is read back with its plan', async () => {
    const disk = new MemoryDisk()
    const log = await OffsetLog.open(disk, path)
    const planned: OffsetLogEntry = {
      ...entry(0),
      watermarks: { clicks: 1_795_996_800_000, orders: -5 },
      code: 'f00d',
      operators: [
        { uid: 'totals', isNamed: true, kind: 'updateStateByKey', shape: '', codec: 'v8' },
      ],
      deadLetterEnds: [{ topic: 'rejected', partition: 0, offset: 7 }],
    }
    await log.append(planned)
    disk.crash()
    expect((await OffsetLog.open(disk, path)).latest()).toEqual(planned)
  })

  test('a commit is read back with its event times; malformed event times are damage', async () => {
    const commits = '/jobs/orders/commits'
    const disk = new MemoryDisk()
    const log = await CommitLog.open(disk, commits)
    const eventTimes = { clicks: { 'clicks-0': { timeMs: 5, batchTimeMs: 9 } } }
    await log.commit(0, { recordsTotal: 1, eventTimes })
    disk.crash()
    expect((await CommitLog.open(disk, commits)).latestCommit()).toMatchObject({ eventTimes })
    for (const broken of [{ clicks: { 'clicks-0': 5 } }, { clicks: 7 }, []]) {
      const other = await diskWith(commits, { batchId: 0, eventTimes: broken })
      await expect(CommitLog.open(other, commits)).rejects.toMatchObject({
        code: 'CHECKPOINT_DAMAGED',
      })
    }
  })

  test('a commit is read back with its counts; older commits have none', async () => {
    const commits = '/jobs/orders/commits'
    const disk = await diskWith(commits, { batchId: 3 })
    const log = await CommitLog.open(disk, commits)
    expect(log.latestCommit()).toEqual({ batchId: 3 })
    const counted = { recordsTotal: 40, uncounted: [3, 4] }
    await log.commit(4, counted)
    await log.close()
    expect((await CommitLog.open(disk, commits)).latestCommit()).toEqual({ batchId: 4, ...counted })
    const broken = await diskWith(commits, { batchId: 3, uncounted: ['x'] })
    await expect(CommitLog.open(broken, commits)).rejects.toMatchObject({
      code: 'CHECKPOINT_DAMAGED',
    })
  })
})

describe('the commit log', () => {
  const commits = '/jobs/orders/commits'

  test('returns the newest committed batch, before and after reopening', async () => {
    const disk = new MemoryDisk()
    const log = await CommitLog.open(disk, commits)
    expect(log.latest()).toBe(-1)
    await log.commit(0)
    await log.commit(3)
    expect(log.latest()).toBe(3)
    disk.crash()
    expect((await CommitLog.open(disk, commits)).latest()).toBe(3)
  })

  test('keeps the few commits to which a job can be rewound', async () => {
    const disk = new MemoryDisk()
    const log = await CommitLog.open(disk, commits)
    for (let batchId = 0; batchId < 9; batchId++)
      await log.commit(batchId, { recordsTotal: batchId })
    expect(log.get(6)).toEqual({ batchId: 6, recordsTotal: 6 })
    expect(log.get(3)).toBeUndefined()
    disk.crash()
    expect((await CommitLog.open(disk, commits)).get(6)).toEqual({ batchId: 6, recordsTotal: 6 })
  })

  test('batch ids only increase', async () => {
    const log = await CommitLog.open(new MemoryDisk(), commits)
    await log.commit(4)
    await expect(log.commit(4)).rejects.toThrow('committed after batch')
  })

  test('stays small', async () => {
    const disk = new MemoryDisk()
    const log = await CommitLog.open(disk, commits)
    for (let batchId = 0; batchId < 10_000; batchId++) await log.commit(batchId)
    expect((await disk.stat(commits))!.sizeBytes).toBeLessThan(150_000)
    disk.crash()
    expect((await CommitLog.open(disk, commits)).latest()).toBe(9999)
  })
})
