// A member of a classic consumer group, the one of `protocol/client`: polls, and commits what it
// has processed. In the end the group has to have read everything.

import {
  type FetchedBatches,
  GroupConsumer,
} from '../../../../../protocol/client/consumer/consumer.ts'
import type { Assignment } from '../../../../../protocol/client/consumer/rangeAssignor.ts'
import { offsetCommit } from '../../../../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import type { OffsetAndValue, OffsetCommit, Offsets } from '../../../checkers/operations.ts'
import { oneOf, whole } from '../../../plan/swarm.ts'
import { type Client, isPassing, messageOf } from './client.ts'
import { recordsFrom, topicPartitionOf } from './readRecords.ts'

/** Answers to a commit of a member whose partitions were given to others. */
const groupMovedOn: ReadonlySet<number> = new Set([
  ErrorCode.illegalGeneration,
  ErrorCode.unknownMemberId,
  ErrorCode.rebalanceInProgress,
])

export function groupMember(group: string) {
  return async (client: Client): Promise<void> => {
    // Partitions stay with the process in its history until a rebalance says otherwise.
    let assigned: string[] = []
    while (!client.shared.readersAreDone) assigned = await new Member(client, group, assigned).run()
  }
}

class Member {
  readonly #client: Client
  readonly #group: string
  readonly #consumer: GroupConsumer
  /** By the last rebalance of the history. */
  #assigned: string[]
  /** Next offsets of what was polled and not committed. */
  #uncommitted = new Map<string, number>()
  /** A commit was refused: the member has to join its group again before anything else. */
  #mustRejoin = false

  constructor(client: Client, group: string, assigned: string[]) {
    this.#client = client
    this.#group = group
    this.#assigned = assigned
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

  /** Returns the partitions that it had when it left. */
  async run(): Promise<string[]> {
    const { shared, random } = this.#client
    while (!shared.readersAreDone || this.#mustRejoin) {
      await this.#poll()
      if (shared.writersAreDone) await this.#commit()
      else if (random.below(3) === 0) await this.#commit()
      else if (random.below(60) === 0) return await this.#leave()
      else if (random.below(20) === 0) await this.#commitLate()
      if (shared.writersAreDone) await this.#client.pause(1)
      else await this.#client.think()
    }
    return await this.#leave()
  }

  async #leave(): Promise<string[]> {
    this.#client.shared.reached('a member left its group')
    await this.#consumer.close()
    return this.#assigned
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
    const found: Record<string, readonly OffsetAndValue[]> = {}
    const positions: Record<string, number> = {}
    for (const { topic, partition, batches, offset, nextOffset } of fetched) {
      const at = `${topic}-${partition}`
      found[at] = recordsFrom(batches, offset)
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
    const simple: OffsetCommit = { kind: 'commit', group: this.#group, offsets }
    const operation = generation < 0 ? simple : { ...simple, generation }
    const pending = recorder.begin(name, operation)
    try {
      await this.#consumer.commit(byTopic(offsets))
      pending.ok()
    } catch (error) {
      const hasMoved = error instanceof KafkaError && groupMovedOn.has(error.errorCode)
      if (hasMoved) {
        shared.reached('a commit was refused after a rebalance')
        this.#mustRejoin = true
      }
      // An earlier attempt of the same commit may have been accepted.
      pending.unknown(messageOf(error))
      if (!hasMoved && !isPassing(error)) throw error
    }
  }

  /** What a member sent before a rebalance may arrive after it, and has to be refused then. */
  async #commitLate(): Promise<void> {
    const { cluster, shared, name: who } = this.#client
    const { memberId, generationId } = this.#consumer
    if (generationId < 2) return
    const partitions = [{ partitionIndex: 0, committedOffset: 0, committedMetadata: '' }]
    const topics = [{ name: shared.parameters.logTopic.name, partitions }]
    const former = { groupId: this.#group, memberId, generationIdOrMemberEpoch: generationId - 1 }
    try {
      const connection = await cluster.coordinator(this.#group)
      const answer = await connection.send(offsetCommit, { ...former, topics })
      if (answer.topics[0]!.partitions[0]!.errorCode !== ErrorCode.none) return
      shared.violate('late commit', `${who} has committed in its former generation`)
    } catch (error) {
      if (!isPassing(error)) throw error
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
      this.#assigned = assigned
    }
    if (generation > 1) shared.reached('a group was rebalanced')
    this.#mustRejoin = false
    this.#uncommitted = new Map()
  }
}

function byTopic(offsets: Offsets): Map<string, Map<number, number>> {
  const topics = new Map<string, Map<number, number>>()
  for (const [name, offset] of Object.entries(offsets)) {
    const { topic, partition } = topicPartitionOf(name)
    const ofTopic = topics.get(topic) ?? new Map<number, number>()
    topics.set(topic, ofTopic.set(partition, offset))
  }
  return topics
}
