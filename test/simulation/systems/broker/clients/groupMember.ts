// A member of a classic consumer group, the one of `protocol/client`: polls, and commits what it has
// processed. In the end the group has to have read everything.

import {
  type FetchedBatches,
  GroupConsumer,
} from '../../../../../protocol/client/consumer/consumer.ts'
import type { Assignment } from '../../../../../protocol/client/consumer/rangeAssignor.ts'
import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../../protocol/kafka/records/recordCursor.ts'
import type { Offsets } from '../../../checkers/operations.ts'
import { oneOf, whole } from '../../../plan/swarm.ts'
import { type Client, isPassing, messageOf } from './client.ts'
import { maxBatchBytes } from './partitionFollower.ts'

/** Answers to a commit of a member whose partitions were given to others. */
const groupMovedOn: ReadonlySet<number> = new Set([
  ErrorCode.illegalGeneration,
  ErrorCode.unknownMemberId,
  ErrorCode.rebalanceInProgress,
])

export function groupMember(group: string) {
  return async (client: Client): Promise<void> => {
    while (!client.shared.readersAreDone) await new Member(client, group).run()
  }
}

class Member {
  readonly #client: Client
  readonly #group: string
  readonly #consumer: GroupConsumer
  #assigned: string[] = []
  /** Next offsets of what was polled and not committed. */
  #uncommitted = new Map<string, number>()

  constructor(client: Client, group: string) {
    this.#client = client
    this.#group = group
    const { random } = client
    const { logTopic, transactionTopic, workload } = client.shared.parameters
    this.#consumer = new GroupConsumer(client.cluster, {
      groupId: group,
      topics: [logTopic.name, transactionTopic.name],
      autoOffsetReset: 'earliest',
      isolation: 'committed',
      sessionTimeoutMs: workload.sessionTimeoutMs,
      rebalanceTimeoutMs: workload.sessionTimeoutMs,
      heartbeatIntervalMs: Math.ceil(workload.sessionTimeoutMs / 4),
      maxWaitMs: whole(random, 1, 100),
      maxBytes: oneOf(random, [500, 5000, 100_000]),
      onAssigned: (assignment) => this.#onAssigned(assignment),
    })
  }

  async run(): Promise<void> {
    const { shared, random } = this.#client
    while (!shared.readersAreDone) {
      await this.#poll()
      if (shared.writersAreDone) await this.#commit()
      else if (random.below(3) === 0) await this.#commit()
      else if (random.below(60) === 0) return await this.#leave()
      if (!shared.writersAreDone) await this.#client.think()
    }
    await this.#leave()
  }

  async #leave(): Promise<void> {
    this.#client.shared.reached('a member left its group')
    await this.#consumer.close()
    this.#client.recorder.note(this.#client.name, { kind: 'assign', partitions: [] })
  }

  async #poll(): Promise<void> {
    const { recorder, name, shared } = this.#client
    const poll = recorder.begin(name, { kind: 'poll', records: {} })
    let fetched: FetchedBatches[]
    try {
      fetched = await this.#consumer.poll()
    } catch (error) {
      poll.fail(messageOf(error))
      if (!isPassing(error)) throw error
      return
    }
    const found: Record<string, (readonly [number, string])[]> = {}
    const positions: Record<string, number> = {}
    for (const { topic, partition, batches, offset, nextOffset } of fetched) {
      const at = `${topic}-${partition}`
      found[at] = recordsIn(batches, offset)
      positions[at] = nextOffset
      this.#uncommitted.set(at, nextOffset)
      for (const [offset] of found[at]!) shared.progress.polled(this.#group, at, offset)
    }
    poll.ok({ kind: 'poll', records: found, positions })
  }

  async #commit(): Promise<void> {
    if (this.#uncommitted.size === 0) return
    const { recorder, name, shared } = this.#client
    const offsets: Offsets = Object.fromEntries(this.#uncommitted)
    this.#uncommitted = new Map()
    const generation = this.#consumer.generationId
    const operation = {
      ...{ kind: 'commit', group: this.#group, offsets },
      ...(generation >= 0 && { generation }),
    } as const
    const pending = recorder.begin(name, operation)
    try {
      await this.#consumer.commit(byTopic(offsets))
      pending.ok()
    } catch (error) {
      const hasMoved = error instanceof KafkaError && groupMovedOn.has(error.errorCode)
      if (hasMoved) shared.reached('a commit was refused after a rebalance')
      // An earlier attempt of the same commit may have been accepted.
      pending.unknown(messageOf(error))
      if (!hasMoved && !isPassing(error)) throw error
    }
  }

  #onAssigned(assignment: Assignment): void {
    const { recorder, name, shared } = this.#client
    const assigned = [...assignment].flatMap(([topic, partitions]) =>
      partitions.map((partition) => `${topic}-${partition}`),
    )
    const generation = this.#consumer.generationId
    // Lost again already, while the committed offsets were fetched.
    if (generation < 0) {
      recorder.note(name, { kind: 'assign', partitions: assigned, seeks: assigned })
    } else {
      const revoked = this.#assigned
      recorder.note(name, { kind: 'rebalance', group: this.#group, generation, revoked, assigned })
    }
    if (generation > 1) shared.reached('a group was rebalanced')
    this.#assigned = assigned
    this.#uncommitted = new Map()
  }
}

function recordsIn(batches: Buffer, from: number): (readonly [number, string])[] {
  const found: (readonly [number, string])[] = []
  for (const batch of splitBatches(batches)) {
    for (const { offset, value } of records(batch, maxBatchBytes)) {
      if (offset >= from) found.push([offset, value!.toString()])
    }
  }
  return found
}

function byTopic(offsets: Offsets): Map<string, Map<number, number>> {
  const topics = new Map<string, Map<number, number>>()
  for (const [name, offset] of Object.entries(offsets)) {
    const dash = name.lastIndexOf('-')
    const topic = name.slice(0, dash)
    const ofTopic = topics.get(topic) ?? new Map<number, number>()
    topics.set(topic, ofTopic.set(Number(name.slice(dash + 1)), offset))
  }
  return topics
}
