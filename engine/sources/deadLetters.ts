// Writes the rejected records of a batch to their dead letter topics, before the batch is
// committed.
//
// A batch may run more than once, and each of its rejected records must be written exactly once.
// The batch's entry in the offset log stores the ends of the dead letter topics when the batch was
// planned; each run reads the dead letters of this job from there, and writes only those that are
// missing. Limitation: a write that a dead process sent, and that the broker received but has not
// stored yet, is not seen.

import { Admin } from '../../protocol/client/admin.ts'
import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { PartitionReader } from '../../protocol/client/consumer/partitionReader.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import { ErrorCode, KafkaError } from '../../protocol/kafka/errors.ts'
import { splitBatches, validateBatch } from '../../protocol/kafka/records/recordBatch.ts'
import { RecordCursor, type RecordHeader } from '../../protocol/kafka/records/recordCursor.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import { EngineError } from '../engineError.ts'
import { type DeadLetterEnd, deadLetterOf, letterKey, letterKeyOf } from './deadLetter.ts'
import type { RejectedRecord } from './scan.ts'

export interface DeadLettersOptions {
  /** Name of the job that owns the dead letters. */
  readonly job: string
  readonly topics: readonly string[]
}

interface Letter {
  readonly topic: string
  readonly record: RejectedRecord
}

/**
 * Timeout for a missing topic while the caller can wait. `write` uses the client's longer one: its
 * batch has already run.
 */
const lookUpTimeoutMs = 2000
/** Letters passed to the producer at once. */
const lettersInFlight = 5000
const maxBatchBytes = 128 * 1024 * 1024

export class DeadLetters {
  readonly #cluster: Cluster
  readonly #runtime: Pick<Runtime, 'clock' | 'random'>
  readonly #job: string
  readonly #topics: readonly string[]
  readonly #patientAdmin: Admin
  readonly #admin: Admin
  /** Created lazily: most jobs never write a dead letter. */
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
   * Rejects with DEAD_LETTERS_FAILED when a topic does not exist, before a record needs it, and
   * with a retriable error when no broker is available. Topics are not created: a job creates none
   * of the topics that it names, and the retention of dead letters is the decision of those who
   * read them.
   */
  async start(): Promise<void> {
    await this.#partitions()
  }

  /** Returns the current ends of the topics, to be stored with the plan of a batch, for `write`. */
  async ends(): Promise<DeadLetterEnd[]> {
    const partitions = await this.#partitions()
    return await Promise.all(
      partitions.map(async (place) => ({ ...place, offset: await this.#reader(place).latest() })),
    )
  }

  /**
   * Resolves with the number of dead letters written, once all are stored. `ends` come from the
   * plan of the oldest batch that may have written some of them: the batch itself or, where windows
   * read batches again, the oldest one that they reach. Rejects with DEAD_LETTERS_FAILED.
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
      // Await all before the first failure is thrown: no send may be in flight when the batch runs
      // again.
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
      // A partition added since then is read from its beginning.
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
      // The topic was created again, and is now shorter.
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
      `a dead letter topic of job '${this.#job}' does not exist (${error.message}); create it, with the ` +
        `retention that you want for dead letters, and restart the job; its topics are ${this.#topics.join(', ')}`,
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
    `cannot write the dead letters of batch ${batchId} (${(cause as Error).message}); ${adviceFor(cause)}`,
    cause,
  )
}

function adviceFor(cause: unknown): string {
  const errorCode = cause instanceof KafkaError ? cause.errorCode : undefined
  if (errorCode === ErrorCode.messageTooLarge) {
    return "raise max.message.bytes of the dead letter topic above that of the job's topics: dead letters have more headers"
  }
  if (errorCode === ErrorCode.invalidRecord) {
    return (
      'a compacted topic rejects records without a key and keeps only one dead letter per key; set ' +
      'cleanup.policy=delete on the dead letter topic'
    )
  }
  return 'restart the job: the batch then runs again and writes those that are missing'
}
