// Writes the records that a batch left out to their dead letter topics, before the batch is committed.
//
// A batch may run more than once, and each of its records must be written once. So the batch's entry in the
// offset log names where the dead letter topics ended when the batch was planned; a run reads what this job
// has written from there on, and writes what is missing. What it cannot see is a write of a process that has
// died, which the broker has received and not stored yet.

import { Admin } from '../../protocol/client/admin.ts'
import type { Cluster } from '../../protocol/client/cluster.ts'
import { PartitionReader } from '../../protocol/client/partitionReader.ts'
import { Producer } from '../../protocol/client/producer.ts'
import { ErrorCode, KafkaError } from '../../protocol/kafka/errors.ts'
import { splitBatches, validateBatch } from '../../protocol/kafka/recordBatch.ts'
import { RecordCursor, type RecordHeader } from '../../protocol/kafka/recordCursor.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { DeadLetterEnd } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import { deadLetterOf, letterKey, letterKeyOf } from './deadLetter.ts'
import type { RejectedRecord } from './scan.ts'

export type { DeadLetterEnd } from '../checkpoint/offsetLog.ts'

export interface DeadLettersOptions {
  /** Name of the job whose letters they are. */
  readonly job: string
  readonly topics: readonly string[]
}

interface Letter {
  readonly topic: string
  readonly record: RejectedRecord
}

/** For a topic that does not exist, where the caller can wait; a batch that has run is worth more patience. */
const lookUpTimeoutMs = 2000
/** Letters handed to the producer at once. */
const lettersInFlight = 5000
const maxBatchBytes = 128 * 1024 * 1024

export class DeadLetters {
  readonly #cluster: Cluster
  readonly #runtime: Pick<Runtime, 'clock' | 'random'>
  readonly #job: string
  readonly #topics: readonly string[]
  readonly #patientAdmin: Admin
  readonly #admin: Admin
  /** Created with the first letter: most jobs never write one. */
  #producer: Producer | undefined

  constructor(
    cluster: Cluster,
    runtime: Pick<Runtime, 'clock' | 'random'>,
    { job, topics }: DeadLettersOptions,
  ) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#job = job
    this.#topics = topics
    this.#admin = new Admin(cluster, lookUpTimeoutMs)
    this.#patientAdmin = new Admin(cluster)
  }

  /**
   * Fails with DEAD_LETTERS_FAILED when a topic does not exist, before a record is in need of it, and with a
   * retriable error when no broker can be asked. No topic is created: a job creates none of those that it
   * names, and how long dead letters are kept is for those to decide who look at them.
   */
  async start(): Promise<void> {
    await this.#partitions()
  }

  /** Where the topics end now: to be kept with the plan of a batch, for `write`. */
  async ends(): Promise<DeadLetterEnd[]> {
    const partitions = await this.#partitions()
    return await Promise.all(
      partitions.map(async (place) => ({ ...place, offset: await this.#reader(place).latest() })),
    )
  }

  /**
   * Resolves when the records are stored in their topics, with how many of them were not there yet. `ends` are
   * of the plan of the oldest batch that may have written some of them: the batch itself or, where windows
   * read batches again, the oldest one that they reach. Fails with DEAD_LETTERS_FAILED.
   */
  async write(
    batchId: number,
    rejected: readonly RejectedRecord[],
    ends: readonly DeadLetterEnd[],
  ): Promise<number> {
    const missing = lettersOf(rejected)
    if (missing.size === 0) return 0
    try {
      await this.#leaveOutWritten(missing, ends)
      return await this.#send(batchId, [...missing.values()])
    } catch (error) {
      throw error instanceof EngineError ? error : notWritten(batchId, error)
    }
  }

  async close(): Promise<void> {
    await this.#producer?.close()
  }

  async #send(batchId: number, letters: readonly Letter[]): Promise<number> {
    this.#producer ??= new Producer(this.#cluster, this.#runtime)
    const producer = this.#producer
    for (let at = 0; at < letters.length; at += lettersInFlight) {
      const sent = letters
        .slice(at, at + lettersInFlight)
        .map(({ topic, record }) => producer.send(topic, deadLetterOf(this.#job, batchId, record)))
      // All settle before one fails: none is still on its way when the batch runs again.
      const failed = (await Promise.allSettled(sent)).find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
    }
    return letters.length
  }

  async #leaveOutWritten(
    missing: Map<string, Letter>,
    ends: readonly DeadLetterEnd[],
  ): Promise<void> {
    const topics = new Set([...missing.values()].map(({ topic }) => topic))
    const offsets = new Map(ends.map((end) => [`${end.topic}/${end.partition}`, end.offset]))
    for (const place of await this.#partitions(this.#patientAdmin)) {
      const { topic, partition } = place
      if (!topics.has(topic)) continue
      // A partition that was added since has all of its records from then on.
      const from = offsets.get(`${topic}/${partition}`) ?? 0
      await this.#eachRecord(place, from, (headers) => {
        const key = letterKeyOf(topic, this.#job, headers)
        if (key !== undefined) missing.delete(key)
      })
    }
  }

  async #eachRecord(
    place: Omit<DeadLetterEnd, 'offset'>,
    from: number,
    take: (headers: readonly RecordHeader[]) => void,
  ): Promise<void> {
    const reader = this.#reader(place)
    try {
      const until = await reader.latest()
      const earliest = await reader.earliest()
      // Beyond the end of a topic that was created again.
      let offset = from > until ? earliest : Math.max(earliest, from)
      while (offset < until) {
        const { batches, nextOffset } = await reader.fetch(offset)
        for (const batch of splitBatches(batches)) {
          validateBatch(batch, { maxBytes: maxBatchBytes })
          const cursor = new RecordCursor(batch, maxBatchBytes)
          while (cursor.next()) if (cursor.offset >= offset) take(cursor.headers())
        }
        offset = nextOffset
      }
    } finally {
      reader.close()
    }
  }

  async #partitions(admin = this.#admin): Promise<Omit<DeadLetterEnd, 'offset'>[]> {
    if (this.#topics.length === 0) return []
    try {
      const described = await admin.describeTopics(this.#topics)
      return described.flatMap(({ name, partitions }) =>
        partitions.map(({ partition }) => ({ topic: name, partition })),
      )
    } catch (error) {
      const isMissing =
        error instanceof KafkaError && error.errorCode === ErrorCode.unknownTopicOrPartition
      throw isMissing ? this.#topicMissing(error) : error
    }
  }

  #topicMissing(error: KafkaError): EngineError {
    return new EngineError(
      'DEAD_LETTERS_FAILED',
      `a dead letter topic of job '${this.#job}' does not exist (${error.message}): create it, with the ` +
        `retention that its letters need, and start the job again; it names ${this.#topics.join(', ')}`,
      error,
    )
  }

  #reader({ topic, partition }: Omit<DeadLetterEnd, 'offset'>): PartitionReader {
    return new PartitionReader(this.#cluster, { topic, partition })
  }
}

function lettersOf(rejected: readonly RejectedRecord[]): Map<string, Letter> {
  const letters = new Map<string, Letter>()
  for (const record of rejected) {
    if (record.onError === 'skip') continue
    const topic = record.onError.deadLetter
    letters.set(letterKey(topic, record), { topic, record })
  }
  return letters
}

function notWritten(batchId: number, cause: unknown): EngineError {
  return new EngineError(
    'DEAD_LETTERS_FAILED',
    `the dead letters of batch ${batchId} could not be written (${(cause as Error).message}): ${adviceFor(cause)}`,
    cause,
  )
}

function adviceFor(cause: unknown): string {
  const errorCode = cause instanceof KafkaError ? cause.errorCode : undefined
  if (errorCode === ErrorCode.messageTooLarge) {
    return "raise max.message.bytes of the dead letter topic above that of the job's topics: letters have more headers"
  }
  if (errorCode === ErrorCode.invalidRecord) {
    return (
      'a compacted topic takes no record without a key, and keeps one letter of each key; give the dead letter ' +
      'topic cleanup.policy=delete'
    )
  }
  return 'the batch runs again when the job is started again, and writes those that are missing'
}
