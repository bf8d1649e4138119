// The log against an array, through appends, reads, rolls, deletions at its start, truncations,
// full disks, crashes that lose or tear unsynced writes (with and without a saved state of the
// log), and clean restarts. The log is always a prefix of the submitted records, in order, once,
// never shorter than its acknowledged or read part, and deleted records do not return.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RestingLogs } from '../../../broker/log/directory/restingLogs.ts'
import { CommitJournal } from '../../../broker/log/journal/commitJournal.ts'
import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import type { PartitionLogOptions } from '../../../broker/log/partitionLogOptions.ts'
import { IndexCache } from '../../../broker/log/segment/indexes/indexCache.ts'
import { WriteBehind } from '../../../broker/log/segment/writeBehind.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { models } from '../../modelRuns.ts'
import {
  diskWithData,
  makeBatch,
  notedOf,
  openLog,
  readAll,
  smallConfig,
  stored,
} from './logFixture.ts'
import { type MortalDisk, mortalDisk } from './mortalDisk.ts'
import { fraction, type TruncateCommand, truncateCommand } from './truncateCommand.ts'

type Command =
  | { readonly kind: 'append'; readonly sizes: readonly number[]; readonly wait: boolean }
  | { readonly kind: 'turns'; readonly count: number }
  | { readonly kind: 'later'; readonly ms: number }
  | { readonly kind: 'roll' | 'checkpoint' | 'note' | 'reopen' | 'resume' }
  | { readonly kind: 'full'; readonly changes: number; readonly sizes: readonly number[] }
  | { readonly kind: 'deleteRecords' | 'retain'; readonly fraction: number }
  | TruncateCommand
  | { readonly kind: 'crash'; readonly seed: number; readonly loss: 'all' | 'torn' | 'reordered' }

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
      wait: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('turns' as const),
      count: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('later' as const),
      ms: fc.integer({ min: 1, max: 1200 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'roll' as const,
        'checkpoint' as const,
        'note' as const,
        'reopen' as const,
        'resume' as const,
      ),
    }),
  },
  { weight: 2, arbitrary: truncateCommand },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('deleteRecords' as const, 'retain' as const),
      fraction,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('full' as const),
      changes: fc.integer({ min: 0, max: 12 }),
      sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      seed: fc.nat(),
      loss: fc.constantFrom('all' as const, 'torn' as const, 'reordered' as const),
    }),
  },
)

interface ModelBatch {
  readonly bytes: Buffer
  readonly nextOffset: number
}

/** Limits the changes that take space on the disk. The commit journal has its own limit. */
class Room {
  left = Number.POSITIVE_INFINITY

  take(operation: string, path: string): void {
    const takesRoom = ['write', 'open', 'rename'].includes(operation) && !path.includes('__journal')
    if (!takesRoom || --this.left >= 0) return
    throw Object.assign(new Error(`ENOSPC: ${path}`), { code: 'ENOSPC' })
  }
}

class Model {
  readonly room: Room
  readonly disk: MemoryDisk
  readonly isJournaled: boolean
  log!: PartitionLog
  #restingLogs!: RestingLogs
  /** The submitted batches, in order, as the log has to store them. */
  submitted: ModelBatch[] = []
  /** No crash may leave a log that ends below it. */
  acknowledgedEnd = 0
  /** As in the checkpoint file of a LogManager. */
  recoveryPoint = 0
  logStartOffset = 0
  /** The disk as the current incarnation of the log sees it. */
  #process: MortalDisk
  #inFlight: Promise<unknown>[] = []
  #label = 0
  #journals = 0
  #life = 0
  clock = new ManualClock()

  constructor(disk: MemoryDisk, isJournaled: boolean, room: Room) {
    this.room = room
    this.disk = disk
    this.isJournaled = isJournaled
    this.#process = mortalDisk(disk)
  }

  /** `noted`: the state saved by a clean shutdown, see restingLog.ts. */
  async start(noted: Partial<PartitionLogOptions> = {}): Promise<void> {
    const journal = this.isJournaled ? await this.#openJournal() : undefined
    const inherited = { ...(await this.#takeNote()), ...noted }
    this.clock = new ManualClock()
    this.log = await openLog(this.#process, {
      ...inherited,
      journal,
      clock: this.clock,
      indexCache: new IndexCache({
        // Small, so that blocks are filled, written and reused all the time, and are sometimes too
        // few.
        writeBehind: new WriteBehind(this.clock, {
          blockBytes: 100,
          enoughBytes: 500,
          maxBytes: 1500,
        }),
      }),
      recoveryPoint: this.recoveryPoint,
      saveRecoveryPoint: async () => {
        this.recoveryPoint = this.log.recoveryPoint
      },
      logStartOffset: this.logStartOffset,
      saveLogStartOffset: async () => {
        this.logStartOffset = this.log.logStartOffset
      },
    })
    expect(this.log.offline).toBeUndefined()
    expect(this.log.logStartOffset).toBe(this.logStartOffset)
  }

  /** The state saved before a crash, if it may be used. */
  async #takeNote(): Promise<Pick<PartitionLogOptions, 'resting'>> {
    const nowMs = () => 1e12
    this.#restingLogs = await RestingLogs.open(this.#process, '/data', nowMs, false)
    const stat = await this.#process.stat('/data/orders-0')
    const resting = await this.#restingLogs.take('orders-0', stat?.modifiedMs)
    return resting ? { resting } : {}
  }

  /** As a LogManager does with each checkpoint. */
  async note(): Promise<void> {
    await this.log.checkpoint()
    this.recoveryPoint = this.log.recoveryPoint
    await this.#restingLogs.note(new Map([['orders-0', { topicId: undefined, log: this.log }]]))
  }

  /** Small, so that its files alternate often. */
  #openJournal(): Promise<CommitJournal> {
    return CommitJournal.open({
      disk: this.#process,
      logger: silentLogger,
      scheduler: systemScheduler,
      directory: '/data',
      // Each run of a journal has its own id, which distinguishes its entries from those of earlier
      // runs.
      random: seededRandom(this.#journals++),
      fileBytes: 2000,
      recoveryPointOf: () => this.recoveryPoint,
    })
  }

  get nextOffset(): number {
    return this.submitted.at(-1)?.nextOffset ?? 0
  }

  append(sizes: readonly number[]): Promise<unknown> {
    const life = this.#life
    const parts: Buffer[] = []
    const baseOffset = this.nextOffset
    for (const size of sizes) {
      const batch = makeBatch({ records: size, label: `b${this.#label++}` })
      const bytes = stored(batch, this.nextOffset)
      this.submitted.push({ bytes, nextOffset: this.nextOffset + size })
      parts.push(batch)
    }
    const end = this.nextOffset
    const appended = this.log
      .appendAsLeader(Buffer.concat(parts), { leaderEpoch: 0, origin: 'client' })
      .then((result) => {
        // Answers of an earlier incarnation of the log, after its crash, reach no one.
        if (life !== this.#life || result.errorCode !== 0) return
        expect(result).toMatchObject({ baseOffset, lastOffset: end - 1, duplicate: false })
        this.acknowledgedEnd = end
      })
    this.#inFlight.push(appended)
    return appended
  }

  async settle(): Promise<void> {
    await Promise.all(this.#inFlight)
    this.#inFlight = []
  }

  async crash(seed: number, loss: 'all' | 'torn' | 'reordered'): Promise<void> {
    this.#life++
    const shown = this.log.highWatermark
    expect(shown).toBeGreaterThanOrEqual(this.acknowledgedEnd)
    this.acknowledgedEnd = shown
    const keepUnsynced = seededRandom(seed)
    this.#process.kill()
    this.disk.crash(loss === 'all' ? {} : { keepUnsynced, reorder: loss === 'reordered' })
    await this.#nextLife()
  }

  async #nextLife(): Promise<void> {
    // Operations in flight end before the next incarnation starts, as with a process.
    await this.settle()
    await settle()
    this.#process = mortalDisk(this.disk)
    await this.start()
    this.#adopt()
  }

  /** After a crash, or a truncation, the log itself defines its end. */
  #adopt(): void {
    const end = this.log.logEndOffset
    expect(end).toBeGreaterThanOrEqual(this.acknowledgedEnd)
    const kept = this.submitted.filter((batch) => batch.nextOffset <= end)
    expect(kept.at(-1)?.nextOffset ?? 0).toBe(end)
    this.submitted = kept
    this.acknowledgedEnd = end
  }

  /** The end of the log after a truncation to `offset`: whole batches, and not below the start. */
  #endAtOrBelow(requested: number): number {
    const offset = Math.max(requested, this.log.logStartOffset)
    const ends = [0, ...this.submitted.map((batch) => batch.nextOffset)]
    return ends.findLast((end) => end <= offset)!
  }

  /** A truncation during which the power fails after some turns: records below it survive. */
  async truncateAndCrash(offset: number, turns: number): Promise<void> {
    await this.settle()
    // Answers to a dead process reach no one.
    const truncated = this.log.truncateTo(offset).catch(() => {})
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    this.acknowledgedEnd = this.#endAtOrBelow(offset)
    this.#life++
    this.#process.kill()
    this.disk.crash()
    await truncated
    await this.#nextLife()
  }

  async truncate(offset: number): Promise<void> {
    await this.settle()
    await this.log.truncateTo(offset)
    expect(this.log.logEndOffset).toBe(this.#endAtOrBelow(offset))
    this.acknowledgedEnd = this.log.logEndOffset
    this.#adopt()
  }

  async deleteRecords(fraction: number): Promise<void> {
    const { highWatermark, logStartOffset: before } = this.log
    const offset = Math.min(highWatermark, Math.floor(fraction * (highWatermark + 1)))
    const lowWatermark = Math.max(before, offset)
    expect(await this.log.deleteRecordsBefore(offset)).toEqual({ errorCode: 0, lowWatermark })
  }

  /**
   * Runs out of space somewhere in the appends, and gets it back: only refused records are missing.
   */
  async fillDisk(changes: number, sizes: readonly number[]): Promise<void> {
    await this.settle()
    this.room.left = changes
    for (const size of sizes) void this.append([size])
    await this.settle()
    await this.log.checkpoint()
    this.room.left = Number.POSITIVE_INFINITY
    await this.log.regainSpace()
    expect(this.log.offline).toBeUndefined()
    this.#adopt()
    expect(this.log.highWatermark).toBe(this.nextOffset)
  }

  async retain(fraction: number): Promise<void> {
    // Records below the start of the log are removed whatever the limits.
    this.log.updateConfig({ ...this.log.config, retentionMs: -1, retentionBytes: -1 })
    await this.log.applyRetention()
    const retentionBytes = Math.floor(fraction * this.log.size)
    this.log.updateConfig({ ...this.log.config, retentionMs: -1, retentionBytes })
    await this.log.applyRetention()
    await this.settle()
    expect(this.log.size).toBeGreaterThanOrEqual(retentionBytes)
    this.log.updateConfig(smallConfig)
  }

  async check(): Promise<void> {
    await this.settle()
    expect(this.log.highWatermark).toBe(this.nextOffset)
    const kept = this.submitted.filter((batch) => batch.nextOffset > this.log.logStartOffset)
    const expected = Buffer.concat(kept.map((batch) => batch.bytes))
    expect((await readAll(this.log)).equals(expected)).toBe(true)
    for (const batch of kept) await this.#checkReadFrom(batch)
    const { errorCode } = await this.log.read(this.log.logStartOffset - 1, 1)
    expect(errorCode).toBe(ErrorCode.offsetOutOfRange)
  }

  async #checkReadFrom({ bytes, nextOffset }: ModelBatch): Promise<void> {
    const read = await this.log.read(nextOffset - 1, 1)
    expect(read.bytes.equals(bytes)).toBe(true)
  }
}

async function run(model: Model, command: Command): Promise<void> {
  switch (command.kind) {
    case 'append': {
      const appended = model.append(command.sizes)
      if (command.wait) await appended
      return
    }
    case 'turns':
      for (let turn = 0; turn < command.count; turn++) await Promise.resolve()
      return
    case 'later':
      return model.clock.advance(command.ms)
    case 'roll':
      return await model.log.roll()
    case 'checkpoint':
      await model.log.checkpoint()
      model.recoveryPoint = model.log.recoveryPoint
      return
    case 'note':
      return await model.note()
    case 'reopen':
    case 'resume': {
      await model.log.close()
      await model.settle()
      expect(model.log.recoveryPoint).toBe(model.nextOffset)
      model.recoveryPoint = model.log.recoveryPoint
      const noted = notedOf(model.log)
      expect(noted.resting?.logEndOffset).toBe(model.nextOffset)
      return await model.start(command.kind === 'resume' ? noted : {})
    }
    case 'full':
      return await model.fillDisk(command.changes, command.sizes)
    case 'deleteRecords':
      return await model.deleteRecords(command.fraction)
    case 'retain':
      return await model.retain(command.fraction)
    case 'truncate': {
      const offset = Math.floor(command.fraction * (model.nextOffset + 1))
      if (command.crashAfter === undefined) return await model.truncate(offset)
      return await model.truncateAndCrash(offset, command.crashAfter)
    }
    case 'crash':
      return await model.crash(command.seed, command.loss)
  }
}

test.each([
  ['each append synced', false, models.logSynced.sequences],
  ['a commit journal', true, models.logJournaled.sequences],
])(
  'with %s, the log is a prefix of the submitted batches, and has all acknowledged ones',
  async (_, isJournaled, numRuns) => {
    expect(smallConfig.flush).toBe('group')
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 1, maxLength: 15, size: 'max' }),
        async (commands) => {
          const room = new Room()
          const beforeChange = (operation: string, path: string) => room.take(operation, path)
          const model = new Model(
            await diskWithData(new MemoryDisk({ beforeChange })),
            isJournaled,
            room,
          )
          await model.start()
          for (const next of commands) await run(model, next)
          await model.check()
          await model.log.close()
        },
      ),
      { numRuns },
    )
  },
)
