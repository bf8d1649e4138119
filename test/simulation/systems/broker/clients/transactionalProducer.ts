// Transactions over the wire: records in several partitions and offsets of a group, in the way of
// clients before KIP-890 (which add partitions and groups themselves) or after it. Two processes
// may have the same transactional id, and fence each other all the time.
//
// Outcome: an end that was answered is certain; a commit that was asked for and not answered may
// have happened; a transaction whose commit was never asked for is aborted by whoever comes next.

import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import type { Send, Transaction, TransactionStep } from '../../../checkers/operations.ts'
import { type Client, messageOf } from './client.ts'
import {
  type Identity,
  newVersions,
  oldVersions,
  TransactionRequests,
} from './transactionRequests.ts'

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
  readonly #requests: TransactionRequests
  #transactions = 0
  /** The offset that the current transaction commits. */
  #offset: number | undefined

  constructor(client: Client, transactionalId: string) {
    this.#client = client
    const versions = client.random.below(2) === 0 ? newVersions : oldVersions
    this.#requests = new TransactionRequests(client, transactionalId, versions)
  }

  async run(): Promise<void> {
    while (!this.#client.isOver) {
      let identity: Identity | undefined = await this.#requests.initialize()
      while (identity !== undefined && !this.#client.isOver) {
        identity = await this.#transaction(identity)
        await this.#client.think()
      }
      await this.#client.think()
    }
    // Ends what an earlier incarnation, or this one, has left open.
    await this.#requests.initialize()
  }

  /** Returns the identity for the next transaction; undefined if the producer has to start anew. */
  async #transaction(identity: Identity): Promise<Identity | undefined> {
    const { recorder, name, random, shared } = this.#client
    const number = ++this.#transactions
    const steps: TransactionStep[] = []
    const end = random.below(4) > 0 ? 'commit' : 'abort'
    const transaction: Transaction = {
      ...{ kind: 'txn', transactionalId: this.#requests.transactionalId, steps, end },
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
    const { name: topic } = this.#client.shared.parameters.transactionTopic
    const { versions } = this.#requests
    if (versions.addsPartitions) {
      await this.#client.patiently(() => this.#requests.addPartition(identity, topic, index))
    }
    const batch = this.#requests.nextBatch(identity, topic, index, { value })
    return await this.#client.patiently(() => this.#requests.produce(topic, index, batch))
  }

  async #commitOffset(identity: Identity, offset: number, steps: TransactionStep[]): Promise<void> {
    const { logTopic } = this.#client.shared.parameters
    const group = `group of ${this.#client.name}`
    steps.push({ kind: 'commit', group, offsets: { [`${logTopic.name}-0`]: offset } })
    this.#offset = offset
    if (this.#requests.versions.addsPartitions) {
      await this.#client.patiently(() => this.#requests.addGroup(identity, group))
    }
    await this.#client.patiently(() => this.#requests.commitOffset(identity, group, offset))
  }

  #noteOffset(outcome: 'committed' | 'unknown'): void {
    if (this.#offset === undefined) return
    const { progress } = this.#client.shared
    progress.offsetOfTransaction(`group of ${this.#client.name}`, this.#offset, outcome)
  }

  #end(identity: Identity, committed: boolean): Promise<Identity> {
    return this.#client.patiently(() => this.#requests.end(identity, committed))
  }
}
