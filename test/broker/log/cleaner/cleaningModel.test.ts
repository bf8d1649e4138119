// A compacted log against the list of all records written, through appends of idempotent and
// transactional producers, rounds of cleaning, advancing time, restarts, and crashes at any
// operation of the disk. A reader from the start ends with the state that the whole list gives,
// every record is at its offset with its content, and a retried batch is recognized.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { Compression } from '../../../../protocol/bytes/compression.ts'
import {
  buildEndTransactionMarker,
  readEndTransactionMarker,
} from '../../../../protocol/kafka/records/endTransactionMarker.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { models } from '../../../modelRuns.ts'
import { diskWithData, openLog } from '../logFixture.ts'
import { type MortalDisk, mortalDisk } from '../mortalDisk.ts'
import {
  cleanLog,
  compactConfig,
  finalState,
  type KeyedRecord,
  keyedBatch,
  type SeenRecord,
} from './cleaningFixture.ts'

const directory = '/data/orders-0'
const plainProducers = 2
const producerCount = 4

type Command =
  | {
      readonly kind: 'append'
      readonly producer: number
      readonly keyed: readonly KeyedRecord[]
      readonly compression: Compression
    }
  | { readonly kind: 'end'; readonly producer: number; readonly isCommit: boolean }
  | { readonly kind: 'roll' | 'reopen' | 'checkpoint' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'clean'; readonly mapSlots: number; readonly anew: boolean }
  | {
      readonly kind: 'crash'
      readonly afterChanges: number
      readonly seed: number
      readonly loss: 'all' | 'torn' | 'reordered'
    }

const keyedRecord: fc.Arbitrary<KeyedRecord> = fc.tuple(
  fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  fc.option(fc.constantFrom('x', 'y'.repeat(40)), { freq: 4, nil: null }),
)

const producer = fc.nat(producerCount - 1)

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      producer,
      keyed: fc.array(keyedRecord, { minLength: 1, maxLength: 6 }),
      compression: fc.constantFrom(Compression.none, Compression.gzip, Compression.lz4),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('end' as const), producer, isCommit: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'roll' as const,
        'roll' as const,
        'reopen' as const,
        'checkpoint' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(400, 1000) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('clean' as const),
      mapSlots: fc.constantFrom(3, 100),
      anew: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      afterChanges: fc.nat(60),
      seed: fc.nat(),
      loss: fc.constantFrom('all' as const, 'torn' as const, 'reordered' as const),
    }),
  },
)

/** One offset of the log, with the record that was written there. */
interface Written {
  readonly key: string | undefined
  readonly value: string | null
  readonly producer: number
  readonly atMs: number
}

interface Sender {
  /** Its last batch, and the offset of that batch. */
  last: { readonly bytes: Buffer; readonly baseOffset: number } | undefined
  nextSequence: number
  /** The offsets of its open transaction. */
  open: number[]
}

class Model {
  readonly clock = new ManualClock()
  readonly disk: MemoryDisk
  log!: PartitionLog
  #process!: MortalDisk
  /** Counts down the changes of the disk until the planned crash. */
  #changesLeft = Number.POSITIVE_INFINITY
  #loss: Parameters<MemoryDisk['crash']>[0] = {}
  #recoveryPoint = 0
  #cleanedUpTo = 0
  readonly #written: Written[] = []
  readonly #aborted = new Set<number>()
  /** Producers with records not followed by a marker in the last read. */
  readonly #unended = new Set<number>()
  readonly #senders: Sender[] = Array.from({ length: producerCount }, () => ({
    last: undefined,
    nextSequence: 0,
    open: [],
  }))

  constructor() {
    this.disk = new MemoryDisk({ beforeChange: () => this.#beforeChange() })
  }

  async start(): Promise<void> {
    this.#process = mortalDisk(this.disk)
    const { clock } = this
    const recoveryPoint = this.#recoveryPoint
    this.log = await openLog(this.#process, { config: compactConfig, clock, recoveryPoint })
    expect(this.log.offline).toBeUndefined()
    const left = await this.disk.list(directory)
    expect(left.filter((name) => /\.(cleaned|swap)$/.test(name))).toEqual([])
  }

  async append(producerNumber: number, keyed: readonly KeyedRecord[], compression: Compression) {
    const sender = this.#senders[producerNumber]!
    const isTransactional = producerNumber >= plainProducers
    const bytes = keyedBatch(keyed, {
      compression,
      producerId: producerNumber,
      producerEpoch: 0,
      baseSequence: sender.nextSequence,
      isTransactional,
    })
    const baseOffset = this.#written.length
    sender.last = { bytes: Buffer.from(bytes), baseOffset }
    sender.nextSequence += keyed.length
    for (const [key, value] of keyed) {
      if (isTransactional) sender.open.push(this.#written.length)
      this.#written.push({ key, value, producer: producerNumber, atMs: this.clock.nowMs() })
    }
    const result = await this.log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'client' })
    expect(result).toMatchObject({ errorCode: 0, baseOffset, duplicate: false })
  }

  async end(producerNumber: number, isCommit: boolean): Promise<void> {
    const sender = this.#senders[producerNumber]!
    if (sender.open.length === 0) return
    const ended = { producerId: producerNumber, producerEpoch: 0 }
    const bytes = buildEndTransactionMarker(ended, { isCommit, coordinatorEpoch: 0 }, 2000)
    if (!isCommit) for (const offset of sender.open) this.#aborted.add(offset)
    sender.open = []
    const atMs = this.clock.nowMs()
    this.#written.push({ key: undefined, value: null, producer: producerNumber, atMs })
    const result = await this.log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'coordinator' })
    expect(result).toMatchObject({ errorCode: 0 })
  }

  async clean(mapSlots: number, anew: boolean): Promise<void> {
    const from = anew ? 0 : this.#cleanedUpTo
    const options = { clock: this.clock, dedupeBufferBytes: mapSlots * 24, from }
    this.#cleanedUpTo = await cleanLog(this.log, { disk: this.#process, ...options })
  }

  async checkpoint(): Promise<void> {
    await this.log.checkpoint()
    this.#recoveryPoint = this.log.recoveryPoint
  }

  async reopen(): Promise<void> {
    await this.log.close()
    this.#recoveryPoint = this.log.recoveryPoint
    await this.start()
  }

  /** Cleans until the power fails, or the round is complete. */
  async crash(afterChanges: number, loss: Parameters<MemoryDisk['crash']>[0]): Promise<void> {
    this.#loss = loss
    this.#changesLeft = afterChanges
    await this.clean(100, true).catch(() => undefined)
    if (this.#changesLeft > 0) this.#fail()
    this.#changesLeft = Number.POSITIVE_INFINITY
    await settle()
    this.#cleanedUpTo = 0
    await this.start()
  }

  async check(): Promise<void> {
    expect(this.log.logEndOffset).toBe(this.#written.length)
    const all = await this.#read('highWatermark')
    for (const { offset, key, value } of all) {
      expect({ key, value }).toEqual({
        key: this.#written[offset]!.key,
        value: this.#written[offset]!.value,
      })
    }
    const offsets = all.map(({ offset }) => offset)
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b))
    const committed = await this.#read('lastStable')
    expect(finalState(committed)).toEqual(finalState(this.#committed()))
    this.#expectYoungTombstones(committed)
    for (const sender of this.#senders) await this.#sendAgain(sender)
  }

  /**
   * Ends all transactions, compacts the log and waits for the retention of tombstones. Then the log
   * has one record for each key, and no tombstone.
   */
  async checkCompacted(): Promise<void> {
    for (const number of this.#senders.keys()) await this.end(number, true)
    await this.log.roll()
    // Some records can be removed only in the round after the one that removed others.
    for (let round = 0; round < 3; round++) {
      await this.clean(100, true)
      this.clock.advance(compactConfig.deleteRetentionMs + 1)
    }
    const all = await this.#read('highWatermark')
    const expected = [...finalState(this.#committed())].sort()
    expect(all.map(({ key, value }) => [key, value]).sort()).toEqual(expected)
    expect([...this.#unended], 'records without their marker').toEqual([])
    await this.check()
  }

  /** A consumer that is not too slow must see the deletion of a key. */
  #expectYoungTombstones(committed: readonly SeenRecord[]): void {
    const seen = new Set(committed.map(({ offset }) => offset))
    const last = new Map(this.#committed().map((record) => [record.key, record]))
    for (const { offset, value } of last.values()) {
      const ageMs = this.clock.nowMs() - this.#written[offset]!.atMs
      if (value === null && ageMs < compactConfig.deleteRetentionMs) {
        expect(seen, `the tombstone at ${offset}, ${ageMs} ms old`).toContain(offset)
      }
    }
  }

  #beforeChange(): void {
    this.#changesLeft--
    if (this.#changesLeft === 0) this.#fail()
  }

  #fail(): void {
    this.#process.kill()
    this.disk.crash(this.#loss)
  }

  /** The records that a `read_committed` consumer must see now. */
  #committed(): SeenRecord[] {
    const seen: SeenRecord[] = []
    for (const [offset, { key, value }] of this.#written.entries()) {
      if (offset >= this.log.lastStableOffset || this.#aborted.has(offset)) continue
      if (key !== undefined) seen.push({ offset, key, value })
    }
    return seen
  }

  /** Reads as a consumer does, with the broker's list of aborted transactions for `lastStable`. */
  async #read(upTo: 'highWatermark' | 'lastStable'): Promise<SeenRecord[]> {
    const seen: SeenRecord[] = []
    this.#unended.clear()
    const end = upTo === 'lastStable' ? this.log.lastStableOffset : this.log.highWatermark
    for (let offset = 0; offset < end; ) {
      const read = await this.log.read(offset, 1_000_000, { upTo })
      expect(read.errorCode).toBe(0)
      const aborted = [...(read.abortedTransactions ?? [])]
      aborted.sort((a, b) => a.firstOffset - b.firstOffset)
      const skipped = new Set<number>()
      expect(read.bytes.length).toBeGreaterThan(0)
      for (const batch of splitBatches(read.bytes)) {
        expect(batch.isCrcValid()).toBe(true)
        expect(batch.lastOffset).toBeGreaterThanOrEqual(offset)
        offset = batch.nextOffset
        while (aborted[0] && aborted[0].firstOffset <= batch.lastOffset) {
          skipped.add(aborted.shift()!.producerId)
        }
        if (batch.isControl) {
          this.#unended.delete(batch.producerId)
          if (readEndTransactionMarker(batch)?.isCommit === false) skipped.delete(batch.producerId)
          continue
        }
        if (batch.isTransactional && skipped.has(batch.producerId)) continue
        if (batch.isTransactional && batch.recordCount > 0) this.#unended.add(batch.producerId)
        for (const record of records(batch, 1_000_000)) {
          const { key, value } = record
          seen.push({ offset: record.offset, key: String(key), value: value && String(value) })
        }
      }
    }
    return seen
  }

  async #sendAgain({ last }: Sender): Promise<void> {
    if (last === undefined) return
    const { baseOffset } = last
    const bytes = Buffer.from(last.bytes)
    const result = await this.log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'client' })
    expect(result).toMatchObject({ errorCode: 0, baseOffset, duplicate: true })
  }
}

async function run(model: Model, next: Command): Promise<void> {
  switch (next.kind) {
    case 'append':
      return await model.append(next.producer, next.keyed, next.compression)
    case 'end':
      return await model.end(next.producer, next.isCommit)
    case 'roll':
      return await model.log.roll()
    case 'reopen':
      return await model.reopen()
    case 'checkpoint':
      return await model.checkpoint()
    case 'wait':
      return model.clock.advance(next.ms)
    case 'clean':
      return await model.clean(next.mapSlots, next.anew)
    case 'crash': {
      const keepUnsynced = seededRandom(next.seed)
      const reorder = next.loss === 'reordered'
      return await model.crash(
        next.afterChanges,
        next.loss === 'all' ? {} : { keepUnsynced, reorder },
      )
    }
  }
}

test('a compacted log gives the same state as all records written', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 5, maxLength: 40, size: 'max' }),
      async (commands) => {
        const model = new Model()
        await diskWithData(model.disk)
        await model.start()
        for (const next of commands) await run(model, next)
        await model.check()
        await model.reopen()
        await model.check()
        await model.checkCompacted()
        await model.log.close()
      },
    ),
    { numRuns: models.cleaning.sequences },
  )
})
