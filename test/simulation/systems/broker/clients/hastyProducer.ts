// A transactional producer of the time before KIP-890 that ends its transactions while their last
// record, or their offsets, are still on the way. What arrives behind the end has to be refused:
// otherwise it would open a transaction that nobody ends. What arrives before it is part of the
// transaction, however late it is answered.

import { offsetFetch } from '../../../../../protocol/kafka/apis/offsetFetch.ts'
import { KafkaError } from '../../../../../protocol/kafka/errors.ts'
import type { Transaction } from '../../../checkers/operations.ts'
import { type Client, isPassing, throwUnlessNone } from './client.ts'
import { type Identity, oldVersions, TransactionRequests } from './transactionRequests.ts'

/** The first version that waits for open transactions on demand, and names one group. */
const stableVersion = 7

export function hastyProducer(transactionalId: string) {
  return async (client: Client): Promise<void> => {
    await new HastyProducer(client, transactionalId).run()
  }
}

type Outcome = 'ended' | 'without effect' | 'unknown'

interface Steps {
  /** Adds the partition or the group to the transaction. */
  readonly begin: () => Promise<void>
  readonly write: () => Promise<unknown>
}

class HastyProducer {
  readonly #client: Client
  readonly #requests: TransactionRequests
  /** A lane of its own, so that the end of a transaction overtakes what is on the way. */
  readonly #lane: string
  readonly #group: string
  #transactions = 0

  constructor(client: Client, transactionalId: string) {
    this.#client = client
    this.#requests = new TransactionRequests(client, transactionalId, oldVersions)
    this.#lane = client.cluster.newLane('on the way')
    this.#group = `group of ${client.name}`
  }

  async run(): Promise<void> {
    const { random } = this.#client
    while (!this.#client.isOver) {
      let identity: Identity | undefined = await this.#requests.initialize()
      while (identity !== undefined && !this.#client.isOver) {
        const committed = random.below(3) > 0
        const hasOffset = random.below(2) === 0
        identity = hasOffset
          ? await this.#offset(identity, committed)
          : await this.#record(identity, committed)
        await this.#client.think()
      }
      await this.#client.think()
    }
    await this.#requests.initialize()
  }

  /** Returns the identity for the next transaction; undefined if the producer has to start anew. */
  async #record(identity: Identity, committed: boolean): Promise<Identity | undefined> {
    const { recorder, name, random, shared } = this.#client
    const { transactionTopic } = shared.parameters
    const topic = transactionTopic.name
    const partition = random.below(transactionTopic.partitions)
    const value = `${name}:${++this.#transactions}`
    const transaction: Transaction = {
      kind: 'txn',
      transactionalId: this.#requests.transactionalId,
      steps: [{ kind: 'send', partition: `${topic}-${partition}`, value }],
      end: committed ? 'commit' : 'abort',
    }
    const pending = recorder.begin(name, transaction)
    const batch = this.#requests.nextBatch(identity, topic, partition, { value })
    const outcome = await this.#transaction(identity, committed, {
      begin: () => this.#requests.addPartition(identity, topic, partition),
      write: () => this.#requests.produce(topic, partition, batch, this.#lane),
    })
    if (outcome === 'ended') pending.ok()
    else if (outcome === 'unknown') pending.unknown('not answered')
    else pending.fail('without effect')
    return outcome === 'ended' ? identity : undefined
  }

  async #offset(identity: Identity, committed: boolean): Promise<Identity | undefined> {
    const { recorder, name, shared } = this.#client
    const offset = ++this.#transactions
    const partition = `${shared.parameters.logTopic.name}-0`
    const group = this.#group
    const pending = recorder.begin(name, {
      kind: 'commit',
      group,
      offsets: { [partition]: offset },
    })
    const outcome = await this.#transaction(identity, committed, {
      begin: () => this.#requests.addGroup(identity, group),
      write: () => this.#requests.commitOffset(identity, group, offset, this.#lane),
    })
    if (outcome === 'ended' && committed) pending.ok()
    else if (outcome === 'unknown') pending.unknown('not answered')
    else pending.fail('without effect')
    const read = recorder.begin(name, { kind: 'committed', group, offsets: {} })
    const found = await this.#client.patiently(() => this.#stableOffset())
    read.ok({ kind: 'committed', group, offsets: { [partition]: found } })
    return outcome === 'ended' ? identity : undefined
  }

  /** Ends the transaction while the write is on the way, and waits for both. */
  async #transaction(identity: Identity, committed: boolean, steps: Steps): Promise<Outcome> {
    const { random, shared } = this.#client
    const unbegun = await failureOf(this.#client.patiently(steps.begin))
    if (unbegun !== undefined) return 'without effect'
    const writing = failureOf(steps.write())
    await this.#client.pause(random.float() * (random.below(2) === 0 ? 2 : 50))
    const end = () => this.#requests.end(identity, committed)
    const [unwritten, unended] = await Promise.all([
      writing,
      failureOf(this.#client.patiently(end)),
    ])
    if (unwritten === undefined && unended === undefined) return 'ended'
    const isRefused = unwritten instanceof KafkaError && !isPassing(unwritten)
    if (isRefused) shared.reached('a write was refused behind the end of its transaction')
    return isRefused || !committed ? 'without effect' : 'unknown'
  }

  /** The committed offset once no open transaction may change it. */
  async #stableOffset(): Promise<number> {
    const { cluster, shared } = this.#client
    const connection = await cluster.coordinator(this.#group)
    const topics = [{ name: shared.parameters.logTopic.name, partitionIndexes: [0] }]
    const request = { groupId: this.#group, topics, requireStable: true }
    const answer = await connection.send(offsetFetch, request, { version: stableVersion })
    throwUnlessNone(answer.errorCode)
    const { errorCode, committedOffset } = answer.topics[0]!.partitions[0]!
    throwUnlessNone(errorCode)
    return committedOffset
  }
}

/** Refusals, and answers that were lost; undefined if there is none. */
async function failureOf(attempt: Promise<unknown>): Promise<Error | undefined> {
  try {
    await attempt
    return undefined
  } catch (error) {
    if (!(error instanceof KafkaError) && !isPassing(error)) throw error
    return error as Error
  }
}
