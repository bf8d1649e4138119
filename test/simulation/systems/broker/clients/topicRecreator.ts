// Creates a topic, writes to it, deletes some of its records, deletes the topic, and creates it
// again under the same name. What was acknowledged since the last creation has to be there; what
// was deleted, with its topic or by DeleteRecords, must not come back.
//
// Each record is sent once, and topics are deleted by id: a request that is delayed in the network
// may arrive when the topic of its name is another one.

import { Admin } from '../../../../../protocol/client/admin.ts'
import { PartitionReader } from '../../../../../protocol/client/consumer/partitionReader.ts'
import { deleteRecords } from '../../../../../protocol/kafka/apis/deleteRecords.ts'
import { deleteTopics } from '../../../../../protocol/kafka/apis/deleteTopics.ts'
import { produce } from '../../../../../protocol/kafka/apis/produce.ts'
import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import { RecordBatchBuilder } from '../../../../../protocol/kafka/records/recordBatchBuilder.ts'
import type { OffsetAndValue } from '../../../checkers/operations.ts'
import { type Client, isPassing, throwUnlessNone } from './client.ts'
import { recordsFrom } from './readRecords.ts'

interface KnownPartition {
  /** Offsets of the values that were acknowledged since the topic was created. */
  readonly stored: Map<string, number>
  /** All records below it were deleted. */
  deletedBelow: number
}

/** What is known of the topic through the incarnations of the client. */
interface KnownTopic {
  values: number
  /** Undefined before a creation is certain, and once a deletion was asked for. */
  id: string | undefined
  /** The id of a topic whose deletion was asked for, and not answered. */
  leavingId: string | undefined
  partitions: KnownPartition[]
  /** Values that were stored before the topic was deleted. */
  readonly former: Set<string>
  /** The highest offset for which DeleteRecords was asked, even of an earlier topic of the name. */
  askedBelow: number
}

const partitionCount = 2
const configs = { 'internal.segment.bytes': '1000', 'retention.bytes': '-1' }

export async function topicRecreator(client: Client): Promise<void> {
  await new TopicRecreator(client).run()
}

class TopicRecreator {
  readonly #client: Client
  readonly #name: string
  readonly #topic: KnownTopic

  constructor(client: Client) {
    this.#client = client
    this.#name = `again-by-${client.process.shortName}`
    this.#topic = client.memory<KnownTopic>(() => ({
      ...{ values: 0, id: undefined, leavingId: undefined, partitions: [] },
      ...{ former: new Set<string>(), askedBelow: 0 },
    }))
  }

  async run(): Promise<void> {
    const { random } = this.#client
    while (!this.#client.isOver) {
      const step = random.below(12)
      if (this.#topic.id === undefined) await this.#create()
      else if (step <= 1) await this.#remove(this.#topic.id)
      else if (step <= 3) await this.#deleteRecords()
      else if (step === 4) await this.#check()
      else await this.#produce()
      if (random.below(3) === 0) await this.#client.think()
    }
    if (this.#topic.id !== undefined) await this.#check()
  }

  async #create(): Promise<void> {
    if (this.#topic.leavingId !== undefined) await this.#remove(this.#topic.leavingId)
    const { cluster } = this.#client
    const admin = new Admin(cluster, Number.POSITIVE_INFINITY)
    const id = await this.#client.patiently(async () => {
      const topic = { name: this.#name, partitions: partitionCount, configs }
      await admin.createTopics([topic]).catch(unless(ErrorCode.topicAlreadyExists))
      // Not found while the former topic is being deleted: its name is not free yet.
      cluster.invalidate(this.#name)
      return await cluster.topicId(this.#name)
    })
    this.#topic.id = id
    this.#topic.partitions = Array.from({ length: partitionCount }, () => ({
      ...{ stored: new Map<string, number>(), deletedBelow: 0 },
    }))
    if (this.#topic.former.size > 0) this.#client.shared.reached('a topic was created again')
  }

  async #remove(topicId: string): Promise<void> {
    const topic = this.#topic
    for (const { stored } of topic.partitions) {
      for (const value of stored.keys()) topic.former.add(value)
    }
    topic.id = undefined
    topic.leavingId = topicId
    topic.partitions = []
    await this.#client.patiently(async () => {
      const connection = await this.#client.cluster.any()
      const request = { topics: [{ name: null, topicId }], timeoutMs: 1000 }
      const answer = await connection.send(deleteTopics, request)
      const { errorCode } = answer.responses[0]!
      if (errorCode !== ErrorCode.unknownTopicId) throwUnlessNone(errorCode)
    })
    topic.leavingId = undefined
  }

  async #produce(): Promise<void> {
    const { cluster, clock, random, name } = this.#client
    const partition = random.below(partitionCount)
    const value = `${name}:${this.#topic.values++}`
    const builder = new RecordBatchBuilder()
    builder.append(clock.nowMs(), null, Buffer.from(value))
    const data = { index: partition, records: builder.build() }
    const { stored } = this.#topic.partitions[partition]!
    await this.#once(async () => {
      const connection = await cluster.leader(this.#name, partition)
      const request = {
        ...{ transactionalId: null, acks: -1, timeoutMs: 30_000 },
        topicData: [{ name: this.#name, partitionData: [data] }],
      }
      const answer = await connection.send(produce, request, { version: 12 })
      const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!
      throwUnlessNone(errorCode)
      stored.set(value, baseOffset)
    })
  }

  async #deleteRecords(): Promise<void> {
    const { cluster, random, shared } = this.#client
    const topic = this.#topic
    const partitionIndex = random.below(partitionCount)
    const known = topic.partitions[partitionIndex]!
    const offsets = [...known.stored.values()]
    if (offsets.length === 0) return
    const offset = offsets[random.below(offsets.length)]!
    topic.askedBelow = Math.max(topic.askedBelow, offset)
    await this.#once(async () => {
      const connection = await cluster.leader(this.#name, partitionIndex)
      const topics = [{ name: this.#name, partitions: [{ partitionIndex, offset }] }]
      const answer = await connection.send(deleteRecords, { topics, timeoutMs: 30_000 })
      throwUnlessNone(answer.topics[0]!.partitions[0]!.errorCode)
      known.deletedBelow = Math.max(known.deletedBelow, offset)
      shared.reached('records were deleted')
    })
  }

  /** One attempt: it is not known whether one that fails takes effect, now or later. */
  async #once(attempt: () => Promise<void>): Promise<void> {
    try {
      await attempt()
    } catch (error) {
      this.#client.cluster.invalidate(this.#name)
      if (!isPassing(error) && !(error instanceof KafkaError)) throw error
    }
  }

  async #check(): Promise<void> {
    for (const [number, known] of this.#topic.partitions.entries()) {
      const found = new Map(
        (await this.#readAll(number)).map(([offset, value]) => [String(value), offset] as const),
      )
      this.#compare(`${this.#name}-${number}`, known, found)
    }
  }

  #compare(
    place: string,
    { stored, deletedBelow }: KnownPartition,
    found: ReadonlyMap<string, number>,
  ): void {
    const { shared } = this.#client
    for (const [value, offset] of stored) {
      const foundAt = found.get(value)
      if (foundAt !== undefined && offset < deletedBelow) {
        shared.violate('deleted record', `${value} is in ${place}, and was deleted`)
      } else if (foundAt !== offset && offset >= this.#topic.askedBelow) {
        const where = foundAt === undefined ? 'missing' : `at ${foundAt}`
        shared.violate('lost record', `${value} of ${place} is ${where}, acknowledged at ${offset}`)
      }
    }
    for (const value of found.keys()) {
      if (!this.#topic.former.has(value)) continue
      shared.violate(
        'record of a deleted topic',
        `${value} is in ${place}, which was deleted since`,
      )
    }
  }

  /** From the start of the log to the end that it has now. */
  async #readAll(partition: number): Promise<OffsetAndValue[]> {
    const { cluster } = this.#client
    const reader = new PartitionReader(cluster, {
      ...{ topic: this.#name, partition, isolation: 'uncommitted', maxWaitMs: 1 },
      ...{ retryTimeoutMs: Number.POSITIVE_INFINITY },
    })
    try {
      for (;;) {
        const all = await this.#readOnce(reader).catch(unless(ErrorCode.offsetOutOfRange))
        if (all !== undefined) return all
      }
    } finally {
      reader.close()
    }
  }

  async #readOnce(reader: PartitionReader): Promise<OffsetAndValue[]> {
    const all: OffsetAndValue[] = []
    const end = await reader.latest()
    for (let offset = await reader.earliest(); offset < end; ) {
      const { batches, nextOffset } = await reader.fetch(offset)
      all.push(...recordsFrom(batches, offset))
      offset = nextOffset
    }
    return all
  }
}

function unless(errorCode: number): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof KafkaError) || error.errorCode !== errorCode) throw error
  }
}
