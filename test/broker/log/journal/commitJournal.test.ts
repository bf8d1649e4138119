// The commit journal against a model: after a crash at any operation of the disk, with any part of
// the unsynced writes lost, the segments have everything acknowledged; truncated and replaced bytes
// are not restored.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CommitJournal,
  type JournaledSegment,
} from '../../../../broker/log/journal/commitJournal.ts'
import { encodeGroup } from '../../../../broker/log/journal/journalGroup.ts'
import { segmentFileName } from '../../../../broker/log/segment/segmentFiles.ts'
import type { Disk, DiskFile } from '../../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'
import { models } from '../../../modelRuns.ts'
import { type MortalDisk, mortalDisk } from '../mortalDisk.ts'

const directory = '/data'
const fileBytes = 1500

/** What must exist after a crash. */
interface ModelSegment {
  readonly baseOffset: number
  bytes: Buffer
  /** The replacement of the segment: a crash may leave either. */
  replacement?: Buffer | undefined
}

interface ModelLog {
  readonly name: string
  readonly segments: ModelSegment[]
  nextOffset: number
}

class SegmentFile implements JournaledSegment {
  readonly baseOffset: number
  readonly #file: DiskFile
  #writing: Promise<void> | undefined
  constructor(baseOffset: number, file: DiskFile) {
    this.baseOffset = baseOffset
    this.#file = file
  }
  /** Happens after `delay` turns of the microtask queue. */
  async write(bytes: Buffer, position: number, delay: number): Promise<void> {
    this.#writing = (async () => {
      for (let turn = 0; turn < delay; turn++) await undefined
      await this.#file.write([bytes.subarray(0, 3), bytes.subarray(3)], position)
    })()
    await this.#writing
  }
  truncate(position: number): Promise<void> {
    return this.#file.truncate(position)
  }
  async syncJournaled(): Promise<void> {
    await this.#writing
    await this.#file.sync()
  }
}

const pathOf = (name: string, baseOffset: number) =>
  `${directory}/${name}/${segmentFileName(baseOffset, '.log')}`

/** One incarnation of a process: the journal and the segments it appends to. */
class Life {
  readonly disk: Disk
  readonly journal: CommitJournal
  readonly #open = new Map<string, SegmentFile>()

  private constructor(disk: Disk, journal: CommitJournal) {
    this.disk = disk
    this.journal = journal
  }

  static async begin(disk: Disk, seed: number, logger = new MemoryLogger()): Promise<Life> {
    const journal = await CommitJournal.open({
      disk,
      logger,
      scheduler: systemScheduler,
      directory,
      random: seededRandom(seed),
      fileBytes,
      recoveryPointOf: () => 0,
    })
    return new Life(disk, journal)
  }

  async segment(name: string, baseOffset: number): Promise<SegmentFile> {
    const path = pathOf(name, baseOffset)
    const known = this.#open.get(path)
    if (known) return known
    const segment = new SegmentFile(baseOffset, await this.disk.open(path, 'write'))
    await this.disk.syncDirectory(`${directory}/${name}`)
    this.#open.set(path, segment)
    return segment
  }

  async append(log: ModelLog, bytes: Buffer, delay = 0): Promise<void> {
    const model = log.segments.at(-1)!
    const segment = await this.segment(log.name, model.baseOffset)
    const position = model.bytes.length
    const endOffset = log.nextOffset + 1
    await Promise.all([
      segment.write(bytes, position, delay),
      this.journal.commit({ name: log.name, segment, position, endOffset, chunks: [bytes] }),
    ])
    model.bytes = Buffer.concat([model.bytes, bytes])
    log.nextOffset = endOffset
  }

  async roll(log: ModelLog): Promise<void> {
    const sealed = log.segments.at(-1)!
    if (sealed.bytes.length === 0) return
    await (await this.segment(log.name, sealed.baseOffset)).syncJournaled()
    await this.segment(log.name, log.nextOffset)
    log.segments.push({ baseOffset: log.nextOffset, bytes: Buffer.alloc(0) })
  }

  /** Replaces the content of the first segment, as compaction does. */
  async replace(log: ModelLog, bytes: Buffer): Promise<void> {
    if (log.segments.length < 2) return
    const [first] = log.segments
    await this.journal.settle(log.name, first!.baseOffset)
    const path = pathOf(log.name, first!.baseOffset)
    first!.replacement = bytes
    await this.disk.writeFileAtomic(path, bytes)
    this.#open.delete(path)
    first!.bytes = bytes
    first!.replacement = undefined
  }

  async cut(log: ModelLog, share: number): Promise<void> {
    const last = log.segments.at(-1)!
    const position = Math.floor(last.bytes.length * share)
    // From here on a crash may or may not leave them.
    last.bytes = last.bytes.subarray(0, position)
    await this.journal.cut(log.name, last.baseOffset, position)
    const segment = await this.segment(log.name, last.baseOffset)
    await segment.truncate(position)
    await segment.syncJournaled()
  }
}

/** Empty logs, whose directories exist durably. */
async function emptyLogs(disk: Disk, names: readonly string[]): Promise<ModelLog[]> {
  for (const name of names) await disk.makeDirectory(`${directory}/${name}`)
  await disk.syncDirectory('/')
  await disk.syncDirectory(directory)
  return names.map((name) => {
    return { name, segments: [{ baseOffset: 0, bytes: Buffer.alloc(0) }], nextOffset: 0 }
  })
}

async function expectAcknowledged(disk: Disk, logs: readonly ModelLog[]): Promise<void> {
  for (const { name, segments } of logs) {
    for (const segment of segments) {
      const { baseOffset, replacement } = segment
      const found = (await disk.readFile(pathOf(name, baseOffset))) ?? Buffer.alloc(0)
      if (replacement && found.equals(replacement)) segment.bytes = replacement
      segment.replacement = undefined
      const { bytes } = segment
      expect(found.subarray(0, bytes.length).equals(bytes), `${name} at ${baseOffset}`).toBe(true)
    }
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), size: fc.nat(300) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('roll' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replace' as const), size: fc.nat(200) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('cut' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
)
const life = fc.record({
  steps: fc.array(fc.array(step, { maxLength: 12 }), { minLength: 3, maxLength: 3 }),
  crashAfter: fc.nat(120),
  seed: fc.nat(),
})

describe('the commit journal', () => {
  it('keeps what it acknowledged through crashes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), async (lives) => {
        let countdown = Number.POSITIVE_INFINITY
        let mortal: MortalDisk | undefined
        let crashSeed = 0
        const disk = new MemoryDisk({
          beforeChange() {
            if (--countdown !== 0) return
            mortal!.kill()
            disk.crash({ keepUnsynced: seededRandom(crashSeed), reorder: true })
          },
        })
        const logs = await emptyLogs(disk, ['a-0', 'a-1', 'b-0'])
        for (const [number, { steps, crashAfter, seed }] of lives.entries()) {
          mortal = mortalDisk(disk)
          crashSeed = seed
          countdown = crashAfter + 1
          await liveUntilCrash(mortal, logs, steps, seed).catch((error: unknown) => {
            // In a process that has ended, anything may fail in any way.
            if (countdown > 0) throw error
          })
          countdown = Number.POSITIVE_INFINITY
          if (number % 2 === 0) disk.crash({ keepUnsynced: seededRandom(seed + 1), reorder: true })
          mortal.kill()
          const next = mortalDisk(disk)
          await Life.begin(next, seed + 2)
          await expectAcknowledged(disk, logs)
          next.kill()
        }
      }),
      { numRuns: models.journal.sequences },
    )
  })

  it('is bypassed while it cannot be written, and used again afterwards', async () => {
    let isFull = false
    const disk = new MemoryDisk({
      beforeChange(operation, path) {
        const isJournal = path.endsWith('.journal')
        if (isFull && isJournal && operation === 'write') throw new Error('ENOSPC')
      },
    })
    const log = (await emptyLogs(disk, ['a-0']))[0]!
    const first = await Life.begin(disk, 1)
    for (const full of [false, true, false]) {
      isFull = full
      for (let number = 0; number < 5; number++) await first.append(log, Buffer.from('some bytes'))
    }
    disk.crash()
    await Life.begin(disk, 2)
    await expectAcknowledged(disk, [log])
    expect(log.segments[0]!.bytes).toHaveLength(150)
  })

  it('keeps its bytes until the next start if a segment cannot be synced', async () => {
    let isBad = false
    const disk = new MemoryDisk({
      beforeChange(operation, path) {
        if (isBad && operation === 'sync' && path.includes('/a-0/')) throw new Error('EIO')
      },
    })
    const [bad, good] = (await emptyLogs(disk, ['a-0', 'b-0'])) as [ModelLog, ModelLog]
    const first = await Life.begin(disk, 1)
    await first.append(bad, Buffer.from('acknowledged'))
    isBad = true
    // Would fill the files several times, if they were used again.
    for (let number = 0; number < 40; number++) await first.append(good, Buffer.alloc(200, number))
    await expect(first.journal.cut('a-0', 0, 0)).rejects.toThrow('EIO')
    disk.crash()
    isBad = false
    await Life.begin(disk, 2)
    await expectAcknowledged(disk, [bad, good])
  })

  it('is replayed even if no journal is used any more', async () => {
    const disk = new MemoryDisk()
    const log = (await emptyLogs(disk, ['a-0']))[0]!
    const first = await Life.begin(disk, 1)
    await first.append(log, Buffer.from('only in the journal'))
    disk.crash()
    const logger = new MemoryLogger()
    await CommitJournal.replayLeftover({ disk, logger, directory, recoveryPointOf: () => 0 })
    await expectAcknowledged(disk, [log])
    expect(logger.messages('info')).toHaveLength(1)
    await CommitJournal.replayLeftover({ disk, logger, directory, recoveryPointOf: () => 0 })
    expect(logger.messages('info')).toHaveLength(1)
  })

  it('a damaged group in its middle is reported with its file', async () => {
    const disk = new MemoryDisk()
    const log = (await emptyLogs(disk, ['a-0']))[0]!
    const first = await Life.begin(disk, 1)
    // More than fits into one file, less than into two.
    for (let number = 0; number < 12; number++) await first.append(log, Buffer.alloc(150, number))
    const path = `${directory}/__journal/first.journal`
    const file = await disk.open(path, 'write')
    await file.write([Buffer.from([255])], 700)
    await file.sync()
    disk.crash()
    const logger = new MemoryLogger()
    await Life.begin(disk, 2, logger)
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'error', fields: expect.objectContaining({ path }) }),
    )
  })

  it('bytes beyond the end of a segment leave no gap in it', async () => {
    const disk = new MemoryDisk()
    await emptyLogs(disk, ['a-0'])
    const path = pathOf('a-0', 0)
    await disk.writeFileAtomic(path, Buffer.from('there'))
    const appended = (position: number, text: string) => {
      const chunks = [Buffer.from(text)]
      return { kind: 'append', name: 'a-0', baseOffset: 0, position, endOffset: 9, chunks } as const
    }
    const group = encodeGroup({ runId: Buffer.alloc(8), sequence: 0 }, [
      appended(5, ', behind'),
      appended(2 ** 40, 'nowhere'),
      appended(-1, 'before'),
      appended(13, ', and so on'),
      appended(25, 'one too far'),
    ])
    await disk.makeDirectory(`${directory}/__journal`)
    await disk.writeFileAtomic(`${directory}/__journal/first.journal`, Buffer.concat(group))
    const logger = new MemoryLogger()
    await Life.begin(disk, 1, logger)
    expect(String(await disk.readFile(path))).toBe('there, behind, and so on')
    const fields = { path, sizeBytes: 24, position: 2 ** 40, endOffset: 9, entries: 3 }
    expect(logger.lines).toContainEqual(expect.objectContaining({ level: 'error', fields }))
  })
})

async function liveUntilCrash(
  disk: Disk,
  logs: readonly ModelLog[],
  steps: readonly (readonly (
    | { kind: 'append'; size: number }
    | { kind: 'roll' }
    | { kind: 'replace'; size: number }
    | { kind: 'cut'; share: number }
  )[])[],
  seed: number,
): Promise<void> {
  const life = await Life.begin(disk, seed)
  const random = seededRandom(seed)
  const one = async (log: ModelLog, index: number) => {
    for (const step of steps[index]!) {
      // Faster to the segment than to the journal, or slower.
      const delay = random.below(4) * 8
      if (step.kind === 'append') await life.append(log, random.bytes(step.size + 1), delay)
      else if (step.kind === 'roll') await life.roll(log)
      else if (step.kind === 'replace') await life.replace(log, random.bytes(step.size + 1))
      else await life.cut(log, step.share)
    }
  }
  const outcomes = await Promise.allSettled(logs.map(one))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
}
