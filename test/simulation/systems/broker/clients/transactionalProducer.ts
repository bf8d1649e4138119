// Transactions over the wire: records in several partitions and offsets of a group, in the way of
// clients before KIP-890 (which add partitions and groups themselves) or after it. Two processes
// may have the same transactional id, and fence each other all the time.
//
// Outcome: an end that was answered is certain; a commit that was asked for and not answered may
// have happened; a transaction whose commit was never asked for is aborted by whoever comes next.

import { addOffsetsToTxn } from '../../../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { endTxn } from '../../../../../protocol/kafka/apis/endTxn.ts'
import { initProducerId } from '../../../../../protocol/kafka/apis/initProducerId.ts'
import { produce } from '../../../../../protocol/kafka/apis/produce.ts'
import { txnOffsetCommit } from '../../../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import { RecordBatchBuilder } from '../../../../../protocol/kafka/records/recordBatchBuilder.ts'
import type { Send, Transaction, TransactionStep } from '../../../checkers/operations.ts'
import { noteProducerId } from './carelessProducer.ts'
import { type Client, messageOf, throwUnlessNone } from './client.ts'

interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** With the newest versions, the broker adds partitions and groups to the transaction (KIP-890). */
interface Versions {
  readonly produce: number
  readonly txnOffsetCommit: number
  readonly endTxn: number
  readonly addsPartitions: boolean
}

const newVersions: Versions = {
  ...{ produce: 12, txnOffsetCommit: 5, endTxn: 5 },
  addsPartitions: false,
}
const oldVersions: Versions = {
  ...{ produce: 11, txnOffsetCommit: 4, endTxn: 4 },
  addsPartitions: true,
}

/** Answers that say that another producer has the transactional id now. */
const fenced: ReadonlySet<number> = new Set([
  ErrorCode.producerFenced,
  ErrorCode.invalidProducerEpoch,
  ErrorCode.invalidProducerIdMapping,
])

export function transactionalProducer(transactionalId: string) {
  return async (client: Client): Promise<void> => {
    await new TransactionalProducer(client, transactionalId).run()
  }
}

class TransactionalProducer {
  readonly #client: Client
  readonly #transactionalId: string
  readonly #versions: Versions
  readonly #sequences = new Map<number, number>()
  #transactions = 0
  /** The offset that the current transaction commits. */
  #offset: number | undefined

  constructor(client: Client, transactionalId: string) {
    this.#client = client
    this.#transactionalId = transactionalId
    this.#versions = client.random.below(2) === 0 ? newVersions : oldVersions
  }

  async run(): Promise<void> {
    while (!this.#client.isOver) {
      let identity: Identity | undefined = await this.#begin()
      while (identity !== undefined && !this.#client.isOver) {
        identity = await this.#transaction(identity)
        await this.#client.think()
      }
      await this.#client.think()
    }
    // Ends what an earlier incarnation, or this one, has left open.
    await this.#begin()
  }

  async #begin(): Promise<Identity> {
    const { transactionTimeoutMs } = this.#client.shared.parameters.workload
    const answer = await this.#client.patiently(async () => {
      const connection = await this.#coordinator()
      const found = await connection.send(initProducerId, {
        transactionalId: this.#transactionalId,
        transactionTimeoutMs,
      })
      throwUnlessNone(found.errorCode)
      return found
    })
    noteProducerId(this.#client, answer.producerId, answer.producerEpoch)
    this.#sequences.clear()
    return answer
  }

  /** Returns the identity for the next transaction; undefined if the producer has to start anew. */
  async #transaction(identity: Identity): Promise<Identity | undefined> {
    const { recorder, name, random, shared } = this.#client
    const number = ++this.#transactions
    const steps: TransactionStep[] = []
    const end = random.below(4) > 0 ? 'commit' : 'abort'
    const transaction: Transaction = {
      ...{ kind: 'txn', transactionalId: this.#transactionalId, steps, end },
    }
    const pending = recorder.begin(name, transaction)
    let isCommitAsked = false
    this.#offset = undefined
    const beganMs = shared.nowMs()
    try {
      await this.#write(identity, number, steps)
      isCommitAsked = end === 'commit'
      // Until it is answered; the process may be killed before.
      if (isCommitAsked) this.#noteOffset('unknown')
      const asked: Transaction = { ...transaction, endTimeMs: shared.nowMs() }
      const next = await this.#end(identity, end === 'commit')
      pending.ok(asked)
      if (end === 'commit') this.#noteOffset('committed')
      shared.reached(end === 'commit' ? 'a transaction was committed' : 'a transaction was aborted')
      return next
    } catch (error) {
      if (isCommitAsked) pending.unknown(messageOf(error))
      else pending.fail(messageOf(error))
      if (!(error instanceof KafkaError)) throw error
      shared.reached(this.#markOf(error, beganMs))
      return undefined
    }
  }

  #markOf({ errorCode }: KafkaError, beganMs: number): string {
    if (!fenced.has(errorCode)) return 'a transaction failed'
    const { nowMs, parameters } = this.#client.shared
    const { transactionTimeoutMs, sharesTransactionalId } = parameters.workload
    const isLate = nowMs() - beganMs > transactionTimeoutMs
    const isTimedOut = isLate && !sharesTransactionalId
    return isTimedOut ? 'a transaction was aborted by its timeout' : 'a producer was fenced'
  }

  async #write(identity: Identity, number: number, steps: TransactionStep[]): Promise<void> {
    const { random, shared, name } = this.#client
    const { transactionTopic } = shared.parameters
    const count = 1 + random.below(3)
    for (let part = 0; part < count; part++) {
      const index = (number + part) % transactionTopic.partitions
      const value = `${name}:${number}.${part}`
      const step: Send = { kind: 'send', partition: `${transactionTopic.name}-${index}`, value }
      steps.push(step)
      const offset = await this.#produce(identity, index, value)
      if (offset >= 0) steps[steps.length - 1] = { ...step, offset }
      if (random.below(8) === 0) await this.#client.pause(300 * random.float())
    }
    if (random.below(2) === 0) await this.#commitOffset(identity, number, steps)
  }

  async #produce(identity: Identity, index: number, value: string): Promise<number> {
    const { transactionTopic } = this.#client.shared.parameters
    if (this.#versions.addsPartitions) await this.#addPartition(identity, index)
    const baseSequence = this.#sequences.get(index) ?? 0
    const builder = new RecordBatchBuilder({ ...identity, baseSequence, isTransactional: true })
    builder.append(this.#client.clock.nowMs(), null, Buffer.from(value))
    const records = builder.build()
    this.#sequences.set(index, baseSequence + 1)
    return await this.#client.patiently(async () => {
      const connection = await this.#client.cluster.leader(transactionTopic.name, index)
      const request = {
        ...{ transactionalId: this.#transactionalId, acks: -1, timeoutMs: 30_000 },
        topicData: [{ name: transactionTopic.name, partitionData: [{ index, records }] }],
      }
      const answer = await connection.send(produce, request, { version: this.#versions.produce })
      const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!
      if (errorCode !== ErrorCode.duplicateSequenceNumber) throwUnlessNone(errorCode)
      return baseOffset
    })
  }

  async #addPartition(identity: Identity, partition: number): Promise<void> {
    const { transactionTopic } = this.#client.shared.parameters
    const topics = [{ name: transactionTopic.name, partitions: [partition] }]
    await this.#client.patiently(async () => {
      const connection = await this.#coordinator()
      const request = {
        v3AndBelowTransactionalId: this.#transactionalId,
        v3AndBelowProducerId: identity.producerId,
        v3AndBelowProducerEpoch: identity.producerEpoch,
        v3AndBelowTopics: topics,
      }
      const answer = await connection.send(addPartitionsToTxn, request, { version: 3 })
      const found = answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!
      throwUnlessNone(found.partitionErrorCode)
    })
  }

  async #commitOffset(
    { producerId, producerEpoch }: Identity,
    committedOffset: number,
    steps: TransactionStep[],
  ): Promise<void> {
    const { logTopic } = this.#client.shared.parameters
    const group = `group of ${this.#client.name}`
    steps.push({ kind: 'commit', group, offsets: { [`${logTopic.name}-0`]: committedOffset } })
    this.#offset = committedOffset
    const identity = { transactionalId: this.#transactionalId, producerId, producerEpoch }
    if (this.#versions.addsPartitions) {
      await this.#client.patiently(async () => {
        const connection = await this.#coordinator()
        const request = { ...identity, groupId: group }
        throwUnlessNone((await connection.send(addOffsetsToTxn, request)).errorCode)
      })
    }
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const request = { ...identity, groupId: group, topics: [{ name: logTopic.name, partitions }] }
    await this.#client.patiently(async () => {
      const connection = await this.#client.cluster.coordinator(group)
      const version = this.#versions.txnOffsetCommit
      const answer = await connection.send(txnOffsetCommit, request, { version })
      throwUnlessNone(answer.topics[0]!.partitions[0]!.errorCode)
    })
  }

  #noteOffset(outcome: 'committed' | 'unknown'): void {
    if (this.#offset === undefined) return
    const { progress } = this.#client.shared
    progress.offsetOfTransaction(`group of ${this.#client.name}`, this.#offset, outcome)
  }

  async #end(identity: Identity, committed: boolean): Promise<Identity> {
    return await this.#client.patiently(async () => {
      const connection = await this.#coordinator()
      const { producerId, producerEpoch } = identity
      const transactionalId = this.#transactionalId
      const request = { transactionalId, producerId, producerEpoch, committed }
      const answer = await connection.send(endTxn, request, { version: this.#versions.endTxn })
      throwUnlessNone(answer.errorCode)
      if (this.#versions.addsPartitions || answer.producerId < 0) return identity
      if (answer.producerEpoch !== identity.producerEpoch) this.#sequences.clear()
      return { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
    })
  }

  /** Any broker is the coordinator while there is one. */
  #coordinator() {
    return this.#client.cluster.any()
  }
}
