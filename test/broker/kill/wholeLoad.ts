// All loads together, on the topics they need, and what must hold afterwards: acknowledged records
// exist once and in order, each transaction is visible as a whole or not at all, and offsets and
// topics are the ones acknowledged last.

import { expect } from 'vitest'
import { Compression } from '../../../protocol/bytes/compression.ts'
import { Admin, type NewTopic } from '../../../protocol/client/admin.ts'
import { OffsetLoad, TopicLoad } from './controlLoad.ts'
import { Ledger, Reading } from './ledger.ts'
import { committedValues, recordsOf } from './reading.ts'
import { KeyWriter, NumberedWriter, type WriterOptions } from './recordLoad.ts'
import { TransactionLoad } from './transactionLoad.ts'
import type { World } from './world.ts'

/** Segments are small, so that they are rolled, removed and compacted all the time. */
const topics: readonly NewTopic[] = [
  { name: 'numbered', partitions: 3, configs: { 'internal.segment.bytes': '40000' } },
  {
    name: 'retained',
    partitions: 2,
    configs: { 'internal.segment.bytes': '10000', 'retention.bytes': '40000' },
  },
  {
    name: 'compacted',
    partitions: 1,
    configs: {
      ...{ 'cleanup.policy': 'compact', 'internal.segment.bytes': '3000' },
      ...{ 'min.cleanable.dirty.ratio': '0.01', 'delete.retention.ms': '50' },
    },
  },
  { name: 'transfers', partitions: 2, configs: { 'internal.segment.bytes': '3000' } },
]

const small = { partitions: 3, topic: 'numbered', largestValueBytes: 150 }
const writers: readonly WriterOptions[] = [
  { ...small, name: 'plain', lingerMs: 0 },
  { ...small, name: 'lz4', largestValueBytes: 2000, compression: Compression.lz4 },
  { ...small, name: 'zstd', compression: Compression.zstd, batchBytes: 500 },
  { ...small, name: 'kept', topic: 'retained', partitions: 2, largestValueBytes: 400 },
]

export class WholeLoad {
  readonly ledger = new Ledger()
  readonly #world: World
  readonly #keys: KeyWriter
  readonly #transactions: readonly TransactionLoad[]
  readonly #offsets: OffsetLoad
  readonly #topics: TopicLoad

  constructor(world: World) {
    this.#world = world
    this.#keys = new KeyWriter(world, 'compacted')
    this.#transactions = ['tx-a', 'tx-b'].map((id) => new TransactionLoad(world, id, 'transfers'))
    this.#offsets = new OffsetLoad(world, 'plain-group', 'numbered')
    this.#topics = new TopicLoad(world)
  }

  get committedTransactions(): number {
    return this.#transactions.reduce((sum, { committed }) => sum + committed, 0)
  }

  async createTopics(): Promise<void> {
    await new Admin(this.#world.cluster).createTopics(topics)
  }

  /**
   * Continues through deaths of the broker; resolves once it is over and everything is
   * acknowledged.
   */
  async run(isOver: () => boolean): Promise<void> {
    const numbered = writers.map((options) => new NumberedWriter(this.#world, this.ledger, options))
    const others = [this.#keys, ...this.#transactions, this.#offsets, this.#topics]
    await Promise.all([...numbered, ...others].map((load) => load.run(isOver)))
  }

  async check(): Promise<void> {
    await this.#checkNumbered('numbered', 3, true)
    await this.#checkNumbered('retained', 2, false)
    const { tally } = this.ledger
    expect([tally.duplicates, tally.losses], 'duplicates and losses').toEqual([0, 0])
    await this.#checkCompacted()
    await this.#checkTransactions()
    await this.#offsets.check()
    await this.#topics.check()
  }

  async #checkNumbered(topic: string, partitions: number, isWhole: boolean): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      const reading = new Reading(this.ledger.tally, isWhole)
      let offset = -1
      for await (const record of recordsOf(this.#world.cluster, topic, partition)) {
        expect(record.offset).toBe(offset < 0 ? record.offset : offset + 1)
        offset = record.offset
        reading.take(record.value!.toString())
      }
      reading.finish(isWhole ? this.ledger.acknowledgedAt(`${topic}-${partition}`) : [])
    }
  }

  async #checkCompacted(): Promise<void> {
    const found: { key: string; value: string | null }[] = []
    for await (const { key, value } of recordsOf(this.#world.cluster, 'compacted', 0)) {
      found.push({ key: key!.toString(), value: value === null ? null : value.toString() })
    }
    this.#keys.check(found)
  }

  async #checkTransactions(): Promise<void> {
    const { cluster } = this.#world
    const seen = [
      await committedValues(cluster, 'transfers', 0),
      await committedValues(cluster, 'transfers', 1),
    ]
    for (const load of this.#transactions) {
      const offsets = await new Admin(cluster).committedOffsets(load.groupId)
      load.check(seen, offsets.get('transfers')?.get(0))
    }
  }
}

/** Options of a broker that does everything often, in the format of its configuration file. */
export const busyBroker = {
  'auto.create.topics.enable': false,
  'log.dir.reserved.bytes': 65_536,
  'log.retention.check.interval.ms': 50,
  'log.initial.task.delay.ms': 0,
  'log.cleaner.backoff.ms': 20,
  'log.cleaner.dedupe.buffer.size': 1_048_576,
  'log.segment.delete.delay.ms': 20,
  'log.flush.offset.checkpoint.interval.ms': 100,
  'offsets.topic.num.partitions': 2,
  'offsets.topic.segment.bytes': 3000,
  'transaction.state.log.num.partitions': 2,
  'transaction.state.log.segment.bytes': 3000,
} as const
