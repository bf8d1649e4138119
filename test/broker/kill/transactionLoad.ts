// A transactional producer that writes to two partitions and commits offsets of a group in the same
// transaction. After the death of a broker it continues its transaction, or abandons it and starts
// again like a restarted producer. Knows for each transaction which records may be visible.

import { expect } from 'vitest'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { NetworkError } from '../../../protocol/runtime/network/network.ts'
import { type Load, patiently, throwUnlessNone, type World } from './world.ts'

interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** `unknown`: the end of the transaction was requested, but not answered. */
type Outcome = 'open' | 'committed' | 'aborted' | 'unknown'

class GivenUp extends Error {}

/** The newest versions with topic names, in which the broker adds partitions (KIP-890). */
const produceVersion = 12
const txnOffsetCommitVersion = 5

export class TransactionLoad implements Load {
  readonly transactionalId: string
  readonly #world: World
  readonly #topic: string
  readonly #outcomes: Outcome[] = []

  constructor(world: World, transactionalId: string, topic: string) {
    this.#world = world
    this.transactionalId = transactionalId
    this.#topic = topic
  }

  get groupId(): string {
    return `group-of-${this.transactionalId}`
  }

  get committed(): number {
    return this.#outcomes.filter((outcome) => outcome === 'committed').length
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      try {
        for (let identity = await this.#begin(); !isOver(); ) {
          identity = await this.#transaction(identity)
        }
      } catch (error) {
        if (!(error instanceof GivenUp)) throw error
      }
    }
    await this.#begin()
  }

  /** Aborts the transaction that an earlier incarnation left open. */
  async #begin(): Promise<Identity> {
    return await patiently(this.#world, async () => {
      const connection = await this.#world.cluster.any()
      const answer = await connection.send(initProducerId, {
        transactionalId: this.transactionalId,
        transactionTimeoutMs: 600_000,
      })
      throwUnlessNone(answer.errorCode)
      return answer
    })
  }

  async #transaction(identity: Identity): Promise<Identity> {
    const number = this.#outcomes.push('open') - 1
    const { random } = this.#world
    for (let part = 0; part < 2; part++) {
      const partition = (number + part) % 2
      const batch = this.#batch(identity, `${this.transactionalId} ${number} ${part}`)
      await this.#asking(() => this.#produce(partition, batch))
    }
    await this.#asking(() => this.#commitOffset(identity, number))
    const isCommit = random.below(3) > 0
    if (isCommit) this.#outcomes[number] = 'unknown'
    this.#world.note('ending')
    const next = await this.#asking(() => this.#end(identity, isCommit))
    this.#outcomes[number] = isCommit ? 'committed' : 'aborted'
    return next
  }

  /** Retries after a death of the broker, as a client does, or abandons the transaction. */
  #asking<T>(attempt: () => Promise<T>): Promise<T> {
    return patiently(this.#world, async () => {
      try {
        return await attempt()
      } catch (error) {
        const isGivenUp = error instanceof NetworkError && this.#world.random.below(4) === 0
        throw isGivenUp ? new GivenUp(error.message) : error
      }
    })
  }

  /** Every transaction has its own epoch, so that its sequences start at 0. */
  #batch({ producerId, producerEpoch }: Identity, value: string): Buffer {
    const builder = new RecordBatchBuilder({
      ...{ producerId, producerEpoch, baseSequence: 0, isTransactional: true },
    })
    builder.append(this.#world.cluster.runtime.clock.nowMs(), null, Buffer.from(value))
    return builder.build()
  }

  async #produce(index: number, records: Buffer): Promise<void> {
    const connection = await this.#world.cluster.any()
    const request = {
      ...{ transactionalId: this.transactionalId, acks: -1, timeoutMs: 30_000 },
      topicData: [{ name: this.#topic, partitionData: [{ index, records }] }],
    }
    const answer = await connection.send(produce, request, { version: produceVersion })
    throwUnlessNone(answer.responses[0]!.partitionResponses[0]!.errorCode)
  }

  async #commitOffset(identity: Identity, committedOffset: number): Promise<void> {
    const connection = await this.#world.cluster.any()
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const request = {
      ...{ transactionalId: this.transactionalId, groupId: this.groupId },
      ...{ producerId: identity.producerId, producerEpoch: identity.producerEpoch },
      topics: [{ name: this.#topic, partitions }],
    }
    const version = txnOffsetCommitVersion
    const answer = await connection.send(txnOffsetCommit, request, { version })
    throwUnlessNone(answer.topics[0]!.partitions[0]!.errorCode)
  }

  async #end({ producerId, producerEpoch }: Identity, committed: boolean): Promise<Identity> {
    const connection = await this.#world.cluster.any()
    const { transactionalId } = this
    const request = { transactionalId, producerId, producerEpoch, committed }
    const answer = await connection.send(endTxn, request)
    throwUnlessNone(answer.errorCode)
    return answer
  }

  /**
   * `seen`: the values that read_committed consumers find, by partition, without open transactions;
   * `offset`: that of the group.
   */
  check(seen: readonly (readonly string[])[], offset: number | undefined): void {
    const own = seen.map((values) =>
      values.filter((value) => value.startsWith(`${this.transactionalId} `)),
    )
    const counts = new Map<number, number>()
    for (const values of own) {
      const numbers = values.map((value) => Number(value.split(' ')[1]))
      expect(numbers, 'each once, in order').toEqual([...new Set(numbers)].sort((a, b) => a - b))
      for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1)
    }
    for (const [number, outcome] of this.#outcomes.entries()) {
      const count = counts.get(number) ?? 0
      const possible = { committed: [2], unknown: [0, 2], aborted: [0], open: [0] }[outcome]
      expect(possible, `${this.transactionalId} ${number}: ${outcome}`).toContain(count)
    }
    const last = Math.max(-1, ...counts.keys())
    expect(offset ?? -1, 'the offset of the last commit').toBe(last)
  }
}
