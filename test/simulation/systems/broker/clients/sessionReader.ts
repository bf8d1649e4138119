// Reads all partitions with one incremental fetch session (KIP-227), over the wire: requests carry
// what changes, answers what is new. Begins a new session when the broker has forgotten it.

import { visibleBatches } from '../../../../../protocol/client/consumer/visibleBatches.ts'
import { fetch } from '../../../../../protocol/kafka/apis/fetch.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import type { ResponseOf } from '../../../../../protocol/kafka/schema/schema.ts'
import type { OffsetAndValue, Watermarks } from '../../../checkers/operations.ts'
import { whole } from '../../../plan/swarm.ts'
import { type Client, isPassing, messageOf, throwUnlessNone } from './client.ts'
import { recordsFrom, topicPartitionOf } from './readRecords.ts'

/** The newest version that names topics. */
const fetchVersion = 12
const noBytes = Buffer.alloc(0)

type FetchAnswer = ResponseOf<typeof fetch>

interface SessionState {
  id: number
  epoch: number
}

export async function sessionReader(client: Client): Promise<void> {
  await new SessionReader(client).run()
}

class SessionReader {
  readonly #client: Client
  readonly #lane: string
  readonly #positions = new Map<string, number>()
  /** Partitions whose position has changed since they were last in a request. */
  readonly #changed = new Set<string>()
  #session: SessionState = { id: 0, epoch: 0 }
  #idleAnswers = 0

  constructor(client: Client) {
    this.#client = client
    this.#lane = client.cluster.newLane('session')
    const { logTopic, transactionTopic } = client.shared.parameters
    for (const { name, partitions } of [logTopic, transactionTopic]) {
      for (let at = 0; at < partitions; at++) this.#positions.set(`${name}-${at}`, 0)
    }
  }

  /** Ends once nothing was new in some answers after the writers had ended. */
  async run(): Promise<void> {
    const { recorder, name, shared } = this.#client
    recorder.note(name, { kind: 'assign', partitions: [...this.#positions.keys()] })
    while (!shared.writersAreDone || this.#idleAnswers < 3) {
      const poll = recorder.begin(name, { kind: 'poll', records: {} })
      try {
        const answer = await this.#fetch()
        const found = answer ? this.#take(answer) : {}
        poll.ok({ kind: 'poll', records: found, positions: Object.fromEntries(this.#positions) })
      } catch (error) {
        poll.fail(messageOf(error))
        if (!isPassing(error)) throw error
        // The answer may have been lost, with it the epoch that the session has now.
        this.#begin()
        this.#idleAnswers = 0
        await this.#client.pause(10)
      }
      if (!shared.writersAreDone) await this.#client.think()
    }
  }

  /** Undefined if the broker does not know the session. */
  async #fetch(): Promise<FetchAnswer | undefined> {
    const { cluster, random, shared } = this.#client
    const [first] = this.#positions.keys()
    const { topic, partition } = topicPartitionOf(first!)
    const connection = await cluster.leader(topic, partition, this.#lane)
    const { id, epoch } = this.#session
    const asked = epoch === 0 ? [...this.#positions.keys()] : [...this.#changed]
    const maxBytes = whole(random, 500, 20_000)
    const request = {
      ...{ maxWaitMs: whole(random, 1, 100), minBytes: 1, maxBytes, isolationLevel: 1 },
      ...{ sessionId: id, sessionEpoch: epoch, topics: this.#topicsOf(asked, maxBytes) },
    }
    const answer = await connection.send(fetch, request, { version: fetchVersion })
    if (isForgotten(answer.errorCode)) {
      shared.reached('a fetch session was forgotten')
      this.#begin()
      return undefined
    }
    throwUnlessNone(answer.errorCode)
    this.#changed.clear()
    if (answer.sessionId === 0) this.#begin()
    else this.#session = { id: answer.sessionId, epoch: epoch + 1 }
    if (epoch > 0) shared.reached('a fetch session went on')
    return answer
  }

  #take({ responses }: FetchAnswer): Record<string, readonly OffsetAndValue[]> {
    const found: Record<string, readonly OffsetAndValue[]> = {}
    const watermarks: Record<string, Watermarks> = {}
    for (const { topic, partitions } of responses) {
      for (const answer of partitions) {
        const name = `${topic}-${answer.partitionIndex}`
        if (answer.errorCode !== ErrorCode.none) {
          // Asked for again: the session remembers what it has answered.
          this.#changed.add(name)
          continue
        }
        found[name] = this.#advance(name, answer)
        const { highWatermark, lastStableOffset, logStartOffset } = answer
        watermarks[name] = { highWatermark, lastStableOffset, logStartOffset }
      }
    }
    const { recorder, name } = this.#client
    recorder.note(name, { kind: 'watermarks', partitions: watermarks })
    const isIdle = this.#changed.size === 0
    this.#idleAnswers = isIdle ? this.#idleAnswers + 1 : 0
    return found
  }

  #advance(
    name: string,
    answer: FetchAnswer['responses'][number]['partitions'][number],
  ): OffsetAndValue[] {
    const from = this.#positions.get(name)!
    const aborted = answer.abortedTransactions ?? []
    const { batches, nextOffset } = visibleBatches(answer.records ?? noBytes, aborted)
    if (nextOffset === undefined) return []
    this.#positions.set(name, nextOffset)
    this.#changed.add(name)
    return recordsFrom(batches, from)
  }

  #begin(): void {
    this.#session = { id: 0, epoch: 0 }
    this.#changed.clear()
  }

  #topicsOf(names: readonly string[], partitionMaxBytes: number) {
    return names.map((name) => {
      const { topic, partition } = topicPartitionOf(name)
      const fetchOffset = this.#positions.get(name)!
      return { topic, partitions: [{ partition, fetchOffset, partitionMaxBytes }] }
    })
  }
}

function isForgotten(errorCode: number): boolean {
  return (
    errorCode === ErrorCode.fetchSessionIdNotFound ||
    errorCode === ErrorCode.invalidFetchSessionEpoch
  )
}
