// Transactions in a log against a list of events, through rolls, checkpoints, restarts, truncations
// and crashes. At every moment these are right: the last stable offset, the open transactions, the
// aborted transactions of every read, and the producer snapshot at an offset, which has the state
// of the records below it, whatever was in flight when it was taken.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import type { PartitionLogOptions } from '../../../broker/log/partitionLogOptions.ts'
import { decodeProducerSnapshot } from '../../../broker/log/producers/producerSnapshot.ts'
import {
  type ProducerEntry,
  rememberedBatches,
} from '../../../broker/log/producers/producerState.ts'
import { offsetsOfFiles, segmentFileName } from '../../../broker/log/segment/segmentFiles.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { models } from '../../modelRuns.ts'
import { append, diskWithData, notedOf, openLog, smallConfig } from './logFixture.ts'
import { type MortalDisk, mortalDisk } from './mortalDisk.ts'
import { committedRead, end, write } from './transactionFixture.ts'
import { type TruncateCommand, truncateCommand } from './truncateCommand.ts'

type Command =
  | { readonly kind: 'write'; readonly producerId: number; readonly wait: boolean }
  | { readonly kind: 'plain'; readonly wait: boolean }
  | {
      readonly kind: 'end'
      readonly producerId: number
      readonly isCommit: boolean
      readonly bump: boolean
    }
  | { readonly kind: 'turns'; readonly count: number }
  | { readonly kind: 'roll' | 'reopen' | 'resume' }
  | { readonly kind: 'checkpoint'; readonly wait: boolean }
  | TruncateCommand
  | { readonly kind: 'crash'; readonly seed: number }

const producerId = fc.integer({ min: 1, max: 3 })
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      producerId,
      wait: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('plain' as const), wait: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      producerId,
      isCommit: fc.boolean(),
      bump: fc.boolean(),
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
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('roll' as const, 'reopen' as const, 'resume' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('checkpoint' as const), wait: fc.boolean() }),
  },
  { weight: 2, arbitrary: truncateCommand },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), seed: fc.nat() }),
  },
)

/**
 * One batch of one offset, which is its index in the list. Undefined is a record without a
 * producer.
 */
type Event =
  | undefined
  | { readonly producerId: number; readonly epoch: number; readonly ends?: 'commit' | 'abort' }

interface Transaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Undefined while the transaction is open. */
  readonly markerOffset: number | undefined
  readonly isAborted: boolean
}

class Model {
  readonly disk: MemoryDisk
  log!: PartitionLog
  recoveryPoint = 0
  #events: Event[] = []
  #process: MortalDisk
  #inFlight: Promise<unknown>[] = []
  #life = 0

  constructor(disk: MemoryDisk) {
    this.disk = disk
    this.#process = mortalDisk(disk)
  }

  async start(noted: Partial<PartitionLogOptions> = {}): Promise<void> {
    this.log = await openLog(this.#process, {
      ...noted,
      // Small, so that some appends start a new segment.
      config: { ...smallConfig, segmentBytes: 400 },
      recoveryPoint: this.recoveryPoint,
      saveRecoveryPoint: async () => {
        this.recoveryPoint = this.log.recoveryPoint
      },
    })
    expect(this.log.offline).toBeUndefined()
  }

  async write(producerId: number, wait: boolean): Promise<void> {
    const epoch = this.#epochOf(producerId)
    const sequence = this.#events.filter(
      (event) => event?.producerId === producerId && event.epoch === epoch && !event.ends,
    ).length
    this.#events.push({ producerId, epoch })
    await this.#submit(write(this.log, { producerId, producerEpoch: epoch }, sequence), wait)
  }

  async plain(wait: boolean): Promise<void> {
    this.#events.push(undefined)
    await this.#submit(
      append(this.log, { records: 1 }).then(({ errorCode }) => errorCode),
      wait,
    )
  }

  end(producerId: number, isCommit: boolean, bump: boolean): Promise<void> {
    const epoch = this.#epochOf(producerId) + (bump ? 1 : 0)
    this.#events.push({ producerId, epoch, ends: isCommit ? 'commit' : 'abort' })
    return this.#submit(end(this.log, { producerId, producerEpoch: epoch }, isCommit), false)
  }

  async checkpoint(wait: boolean): Promise<void> {
    const life = this.#life
    const { log } = this
    const done = log.checkpoint().then(() => {
      if (life === this.#life) this.recoveryPoint = log.recoveryPoint
    })
    this.#inFlight.push(done)
    if (wait) await done
  }

  async settle(): Promise<void> {
    await Promise.all(this.#inFlight)
    this.#inFlight = []
  }

  async reopen(isNoted: boolean): Promise<void> {
    this.#life++
    await this.log.close()
    await this.settle()
    this.recoveryPoint = this.log.recoveryPoint
    await this.start(isNoted ? notedOf(this.log) : {})
  }

  async truncate(fraction: number): Promise<void> {
    await this.settle()
    const offset = Math.floor(fraction * (this.#events.length + 1))
    await this.log.truncateTo(offset)
    this.#events = this.#events.slice(0, offset)
  }

  async truncateAndCrash(fraction: number, turns: number): Promise<void> {
    await this.settle()
    const offset = Math.floor(fraction * (this.#events.length + 1))
    // Answers to a dead process reach no one.
    const truncated = this.log.truncateTo(offset).catch(() => {})
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    this.#kill(0)
    await truncated
    await this.#nextLife()
  }

  async crash(seed: number): Promise<void> {
    this.#kill(seed)
    await this.#nextLife()
  }

  #kill(seed: number): void {
    this.#life++
    this.#process.kill()
    this.disk.crash({ keepUnsynced: seededRandom(seed), reorder: true })
  }

  async #nextLife(): Promise<void> {
    await this.settle()
    await settle()
    this.#process = mortalDisk(this.disk)
    await this.start()
    this.#events = this.#events.slice(0, this.log.logEndOffset)
  }

  checkStable(): void {
    const { highWatermark } = this.log
    const unstable = this.#transactions()
      .filter(({ markerOffset }) => markerOffset === undefined || markerOffset >= highWatermark)
      .map(({ firstOffset }) => firstOffset)
    expect(this.log.lastStableOffset).toBe(Math.min(highWatermark, ...unstable))
  }

  async checkSnapshots(): Promise<void> {
    const { directory } = this.log
    for (const offset of offsetsOfFiles(await this.disk.list(directory), '.snapshot')) {
      const bytes = await this.disk.readFile(`${directory}/${segmentFileName(offset, '.snapshot')}`)
      // A checkpoint in progress removes those that are not needed any more.
      if (bytes === undefined) continue
      expect(offset).toBeLessThanOrEqual(this.#events.length)
      const state = decodeProducerSnapshot(bytes, Number.POSITIVE_INFINITY, 0)
      const known = [...state!.entries()].map(briefly).sort((a, b) => a.producerId - b.producerId)
      expect(known).toEqual(this.#producersAt(offset))
    }
  }

  async check(): Promise<void> {
    await this.settle()
    expect(this.log.highWatermark).toBe(this.#events.length)
    this.checkStable()
    this.#checkProducers()
    const stable = this.log.lastStableOffset
    const aborted = this.#transactions().filter(({ isAborted }) => isAborted)
    for (let offset = 0; offset <= stable; offset++) await this.#checkRead(offset, aborted)
  }

  /** `all`: every aborted transaction, in the order of the markers. */
  async #checkRead(offset: number, all: readonly Transaction[]): Promise<void> {
    const maxBytes = offset % 2 === 0 ? 1 : 100_000
    const { offsets, aborted } = await committedRead(this.log, offset, maxBytes)
    const until = offset + offsets.length
    expect(until).toBeLessThanOrEqual(this.log.lastStableOffset)
    expect(offsets).toEqual(Array.from(offsets, (_, at) => offset + at))
    const expected = all
      .filter(({ firstOffset }) => firstOffset < until && offsets.length > 0)
      .filter(({ markerOffset }) => markerOffset! >= offset)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
    expect(aborted).toEqual(expected)
  }

  #checkProducers(): void {
    const known = [...this.log.producers()].sort((a, b) => a.producerId - b.producerId)
    expect(known.map(briefly)).toEqual(this.#producersAt(this.#events.length))
  }

  /** The state of each producer by the events below `offset`. */
  #producersAt(offset: number) {
    const events = this.#events.slice(0, offset)
    const open = transactionsIn(events).filter(({ markerOffset }) => markerOffset === undefined)
    const ids = new Set(events.flatMap((event) => (event ? [event.producerId] : [])))
    return [...ids].sort().map((producerId) => {
      const producerEpoch = epochIn(events, producerId)
      const written = events.flatMap((event, at) =>
        event?.producerId === producerId && event.epoch === producerEpoch && !event.ends
          ? [at]
          : [],
      )
      return {
        producerId,
        producerEpoch,
        currentTxnFirstOffset: open.find((one) => one.producerId === producerId)?.firstOffset ?? -1,
        offsets: written.slice(-rememberedBatches),
        lastSequence: written.length - 1,
      }
    })
  }

  #epochOf(producerId: number): number {
    return epochIn(this.#events, producerId)
  }

  #transactions(): Transaction[] {
    return transactionsIn(this.#events)
  }

  async #submit(appended: Promise<number>, wait: boolean): Promise<void> {
    const life = this.#life
    const checked = appended.then((errorCode) => {
      // Answers of an earlier incarnation of the log, after its crash, reach no one.
      if (life === this.#life) expect(errorCode).toBe(ErrorCode.none)
    })
    this.#inFlight.push(checked)
    if (wait) await checked
  }
}

function epochIn(events: readonly Event[], producerId: number): number {
  return events.findLast((event) => event?.producerId === producerId)?.epoch ?? 0
}

function transactionsIn(events: readonly Event[]): Transaction[] {
  const ended: Transaction[] = []
  const open = new Map<number, number>()
  for (const [offset, event] of events.entries()) {
    if (event === undefined) continue
    const { producerId, ends } = event
    const firstOffset = open.get(producerId)
    if (ends === undefined) {
      if (firstOffset === undefined) open.set(producerId, offset)
    } else if (firstOffset !== undefined) {
      open.delete(producerId)
      const isAborted = ends === 'abort'
      ended.push({ producerId, firstOffset, markerOffset: offset, isAborted })
    }
  }
  for (const [producerId, firstOffset] of open) {
    ended.push({ producerId, firstOffset, markerOffset: undefined, isAborted: false })
  }
  return ended
}

/** The part of an entry that follows from the events. */
function briefly({ producerId, producerEpoch, currentTxnFirstOffset, batches }: ProducerEntry) {
  const offsets = batches.map(({ lastOffset }) => lastOffset)
  const lastSequence = batches.at(-1)?.lastSequence ?? -1
  return { producerId, producerEpoch, currentTxnFirstOffset, offsets, lastSequence }
}

async function run(model: Model, command: Command): Promise<void> {
  switch (command.kind) {
    case 'write':
      return await model.write(command.producerId, command.wait)
    case 'plain':
      return await model.plain(command.wait)
    case 'end':
      return await model.end(command.producerId, command.isCommit, command.bump)
    case 'turns':
      for (let turn = 0; turn < command.count; turn++) await Promise.resolve()
      return
    case 'roll':
      return await model.log.roll()
    case 'checkpoint':
      return await model.checkpoint(command.wait)
    case 'reopen':
    case 'resume':
      return await model.reopen(command.kind === 'resume')
    case 'truncate':
      if (command.crashAfter === undefined) return await model.truncate(command.fraction)
      return await model.truncateAndCrash(command.fraction, command.crashAfter)
    case 'crash':
      return await model.crash(command.seed)
  }
}

test('read_committed sees ended transactions, and gets the aborted ones', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 1, maxLength: 25, size: 'max' }),
      async (commands) => {
        const model = new Model(await diskWithData())
        await model.start()
        for (const next of commands) {
          await run(model, next)
          model.checkStable()
          await model.checkSnapshots()
        }
        await model.check()
        await model.log.close()
      },
    ),
    { numRuns: models.transactionsInLog.sequences },
  )
})
