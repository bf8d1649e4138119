// A member of a KIP-848 group, over the wire: heartbeats carry what it owns, answers what it shall
// own. It gives partitions up before it takes others, and commits with its member epoch.

import { fetchCommittedOffsets } from '../../../../../protocol/client/consumer/committedOffsets.ts'
import { PartitionReader } from '../../../../../protocol/client/consumer/partitionReader.ts'
import { consumerGroupHeartbeat } from '../../../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { offsetCommit } from '../../../../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import type { ResponseOf } from '../../../../../protocol/kafka/schema/schema.ts'
import { randomUuid, uuidText } from '../../../../../protocol/runtime/random.ts'
import type { OffsetAndValue, OffsetCommit } from '../../../checkers/operations.ts'
import { whole } from '../../../plan/swarm.ts'
import { type Client, isPassing, messageOf, throwUnlessNone } from './client.ts'
import { recordsFrom, topicPartitionOf } from './readRecords.ts'

type HeartbeatAnswer = ResponseOf<typeof consumerGroupHeartbeat>

/** Answers that say that the member is in the group no more. */
const fenced: ReadonlySet<number> = new Set([
  ErrorCode.unknownMemberId,
  ErrorCode.groupIdNotFound,
  ErrorCode.fencedMemberEpoch,
  ErrorCode.staleMemberEpoch,
])

const leavingEpoch = -1
const rebalanceTimeoutMs = 500
/**
 * No member loses a partition within this time after it sent a heartbeat, unless it gives it up:
 * less than any session timeout, and than the rebalance timeout.
 */
const safeMs = 250

export function consumerGroupMember(group: string) {
  return async (client: Client): Promise<void> => {
    const member = new ConsumerGroupMember(client, group)
    while (!client.shared.readersAreDone) await member.step()
    await member.leave()
  }
}

class ConsumerGroupMember {
  readonly #client: Client
  readonly #group: string
  readonly #lane: string
  readonly #topics: readonly string[]
  #memberId: string
  #epoch = 0
  #heartbeatDueMs = 0
  /** The last assignment that the group has sent, until the member owns exactly that. */
  #target: NonNullable<HeartbeatAnswer['assignment']> | undefined
  /** Whether the next heartbeat has all fields: an answer was lost, with an assignment perhaps. */
  #isFull = true
  /** Next offsets of the partitions that it owns, by `topic-partition`. */
  readonly #positions = new Map<string, number>()
  readonly #uncommitted = new Map<string, number>()
  /** Who has each partition, by what the members know. */
  readonly #owners: Map<string, ConsumerGroupMember>
  #safeUntilMs = 0

  constructor(client: Client, group: string) {
    this.#client = client
    this.#group = group
    this.#lane = client.cluster.newLane('member')
    this.#memberId = this.#newMemberId()
    this.#owners = ownersIn(client, group)
    const { logTopic, transactionTopic } = client.shared.parameters
    this.#topics = [logTopic.name, transactionTopic.name]
  }

  /** A heartbeat if it is due, a poll, perhaps a commit. */
  async step(): Promise<void> {
    const { shared, clock, random } = this.#client
    try {
      if (clock.monotonicMs() >= this.#heartbeatDueMs) await this.#heartbeat()
      if (this.#target !== undefined) await this.#reconcile(this.#target)
      await this.#poll()
      if (shared.writersAreDone || random.below(3) === 0) await this.#commit()
      else if (random.below(60) === 0) await this.leave()
      else if (random.below(20) === 0) await this.#commitLate()
    } catch (error) {
      if (error instanceof KafkaError && fenced.has(error.errorCode)) this.#fenced()
      else if (!isPassing(error)) throw error
      await this.#client.pause(5)
    }
    if (shared.writersAreDone) await this.#client.pause(1)
    else await this.#client.think()
  }

  async leave(): Promise<void> {
    if (this.#epoch === 0) return
    const leaving = { ...this.#identity(), memberEpoch: leavingEpoch }
    this.#giveUp([...this.#positions.keys()])
    await this.#send(leaving).catch((error) => {
      if (!isPassing(error) && !(error instanceof KafkaError)) throw error
    })
    this.#client.shared.reached('a member left its KIP-848 group')
    this.#begin()
    this.#memberId = this.#newMemberId()
  }

  async #heartbeat(): Promise<void> {
    const isJoining = this.#epoch === 0
    const fields = { rebalanceTimeoutMs, subscribedTopicNames: [...this.#topics] }
    const request = {
      ...this.#identity(),
      memberEpoch: this.#epoch,
      ...(this.#isFull && fields),
      topicPartitions: isJoining ? [] : await this.#owned(),
    }
    this.#isFull = true
    const safeUntilMs = this.#client.shared.nowMs() + safeMs
    const answer = await this.#send(request)
    this.#isFull = false
    this.#safeUntilMs = safeUntilMs
    const hasChanged = this.#epoch !== answer.memberEpoch
    this.#epoch = answer.memberEpoch
    this.#heartbeatDueMs = this.#client.clock.monotonicMs() + answer.heartbeatIntervalMs
    if (answer.assignment !== null) this.#target = answer.assignment
    else if (hasChanged) this.#note([], [])
  }

  async #reconcile({ topicPartitions }: NonNullable<HeartbeatAnswer['assignment']>): Promise<void> {
    const names = await this.#namesById()
    const wanted = topicPartitions.flatMap(({ topicId, partitions }) =>
      partitions.map((partition) => `${names.get(topicId)}-${partition}`),
    )
    const revoked = [...this.#positions.keys()].filter((name) => !wanted.includes(name))
    const assigned = wanted.filter((name) => !this.#positions.has(name))
    if (revoked.length > 0) {
      this.#client.shared.reached('a partition was revoked in a KIP-848 group')
      // Asked for earlier perhaps, in an answer that was lost: the time to give it up may be over.
      this.#safeUntilMs = 0
      await this.#commit()
      this.#giveUp(revoked)
      // What was given up is reported at once.
      this.#heartbeatDueMs = 0
    }
    const positions = await this.#startOf(assigned)
    for (const [name, offset] of positions) {
      this.#own(name)
      this.#positions.set(name, offset)
    }
    this.#note(revoked, assigned)
    this.#target = undefined
  }

  async #startOf(assigned: readonly string[]): Promise<Map<string, number>> {
    if (assigned.length === 0) return new Map()
    const { cluster } = this.#client
    const committed = await fetchCommittedOffsets(cluster, this.#group, null)
    return new Map(
      assigned.map((name) => {
        const { topic, partition } = topicPartitionOf(name)
        return [name, committed.get(topic)?.get(partition) ?? 0]
      }),
    )
  }

  async #poll(): Promise<void> {
    const { recorder, name: process, shared, cluster, random } = this.#client
    if (this.#positions.size === 0) return
    const poll = recorder.begin(process, { kind: 'poll', records: {} })
    const found: Record<string, readonly OffsetAndValue[]> = {}
    const positions: Record<string, number> = {}
    try {
      for (const [name, offset] of this.#positions) {
        const reader = new PartitionReader(cluster, {
          ...{ ...topicPartitionOf(name), isolation: 'committed', lane: this.#lane },
          ...{ maxWaitMs: whole(random, 0, 20), maxBytes: 5000, retryTimeoutMs: 0 },
        })
        const { batches, nextOffset } = await reader.fetch(offset)
        found[name] = recordsFrom(batches, offset)
        positions[name] = nextOffset
      }
    } catch (error) {
      // Nothing of it counts: the positions stay.
      poll.fail(messageOf(error))
      throw error
    }
    for (const [name, records] of Object.entries(found)) {
      this.#positions.set(name, positions[name]!)
      this.#uncommitted.set(name, positions[name]!)
      for (const [offset] of records) shared.progress.polled(this.#group, name, offset)
    }
    poll.ok({ kind: 'poll', records: found, positions })
  }

  async #commit(): Promise<void> {
    const epoch = this.#epoch
    if (this.#uncommitted.size === 0 || epoch === 0) return
    const { recorder, name, cluster } = this.#client
    const offsets = Object.fromEntries(this.#uncommitted)
    this.#uncommitted.clear()
    // Without the epoch: members of such a group have different ones at the same time.
    const operation: OffsetCommit = { kind: 'commit', group: this.#group, offsets }
    const pending = recorder.begin(name, operation)
    try {
      const connection = await cluster.coordinator(this.#group, this.#lane)
      const topics = topicsOf(offsets)
      const member = { groupId: this.#group, memberId: this.#memberId, topics }
      const request = { ...member, generationIdOrMemberEpoch: epoch }
      const answer = await connection.send(offsetCommit, request, { version: 9 })
      for (const { partitions } of answer.topics) {
        for (const { errorCode } of partitions) this.#judge(errorCode)
      }
      pending.ok()
    } catch (error) {
      pending.unknown(messageOf(error))
      const isStale = error instanceof KafkaError && fenced.has(error.errorCode)
      if (isStale) this.#client.shared.reached('a commit with an old member epoch was refused')
      if (!isStale && !isPassing(error)) throw error
      // The next heartbeat says whether the member is still in the group.
      this.#heartbeatDueMs = 0
    }
  }

  /** What a member sent in its former epoch may arrive late, and has to be refused then. */
  async #commitLate(): Promise<void> {
    const { cluster, shared, name: who } = this.#client
    if (this.#epoch < 2) return
    const topics = topicsOf({ [`${shared.parameters.logTopic.name}-0`]: 0 })
    const former = { ...this.#identity(), generationIdOrMemberEpoch: this.#epoch - 1, topics }
    const connection = await cluster.coordinator(this.#group, this.#lane)
    const answer = await connection.send(offsetCommit, former, { version: 9 })
    if (answer.topics[0]!.partitions[0]!.errorCode !== ErrorCode.none) return
    shared.violate('late commit', `${who} has committed in its former epoch`)
  }

  async #send(body: Parameters<typeof sendHeartbeat>[1]): Promise<HeartbeatAnswer> {
    const answer = await sendHeartbeat(this.#client, body, this.#lane)
    this.#judge(answer.errorCode)
    return answer
  }

  #judge(errorCode: number): void {
    const hasMoved =
      errorCode === ErrorCode.notCoordinator || errorCode === ErrorCode.coordinatorNotAvailable
    if (hasMoved) this.#client.cluster.forgetCoordinator(this.#group)
    throwUnlessNone(errorCode)
  }

  #identity() {
    return { groupId: this.#group, memberId: this.#memberId }
  }

  async #owned() {
    const ids = await this.#idsByName()
    const owned = new Map<string, number[]>()
    for (const name of this.#positions.keys()) {
      const { topic, partition } = topicPartitionOf(name)
      owned.set(topic, [...(owned.get(topic) ?? []), partition])
    }
    return [...owned].map(([topic, partitions]) => ({ topicId: ids.get(topic)!, partitions }))
  }

  async #idsByName(): Promise<Map<string, string>> {
    const ids = new Map<string, string>()
    for (const topic of this.#topics) ids.set(topic, await this.#client.cluster.topicId(topic))
    return ids
  }

  async #namesById(): Promise<Map<string, string>> {
    return new Map([...(await this.#idsByName())].map(([name, id]) => [id, name]))
  }

  /** The group goes on without this member, which joins again. */
  #fenced(): void {
    this.#client.shared.reached('a member of a KIP-848 group was fenced')
    this.#giveUp([...this.#positions.keys()])
    this.#begin()
  }

  /** The next heartbeat joins. */
  #begin(): void {
    this.#epoch = 0
    this.#heartbeatDueMs = 0
    this.#target = undefined
    this.#isFull = true
  }

  #own(name: string): void {
    const { shared, name: who } = this.#client
    // Assigned so long ago that the group may have gone on without this member.
    if (!this.#isSafe) return
    const other = this.#owners.get(name)
    this.#owners.set(name, this)
    if (other === undefined || other === this || !other.#isSafe) return
    const former = other.#client.name
    shared.violate('two owners', `${who} was assigned ${name}, which ${former} has not revoked`)
  }

  get #isSafe(): boolean {
    return this.#client.shared.nowMs() < this.#safeUntilMs
  }

  #giveUp(names: readonly string[]): void {
    for (const name of names) {
      if (this.#owners.get(name) === this) this.#owners.delete(name)
      this.#positions.delete(name)
      this.#uncommitted.delete(name)
    }
    this.#note(names, [])
  }

  #note(revoked: readonly string[], assigned: readonly string[]): void {
    if (this.#epoch <= 0) return
    const { recorder, name } = this.#client
    const rebalance = { group: this.#group, generation: this.#epoch, revoked, assigned }
    recorder.note(name, { kind: 'rebalance', ...rebalance })
  }

  #newMemberId(): string {
    return uuidText(randomUuid(this.#client.random))
  }
}

function ownersIn(client: Client, group: string): Map<string, ConsumerGroupMember> {
  const { memories } = client.shared
  const key = `owners in ${group}`
  const owners = (memories.get(key) ?? new Map()) as Map<string, ConsumerGroupMember>
  memories.set(key, owners)
  return owners
}

interface HeartbeatBody {
  readonly groupId: string
  readonly memberId: string
  readonly memberEpoch: number
  readonly rebalanceTimeoutMs?: number
  readonly subscribedTopicNames?: string[]
  readonly topicPartitions?: { topicId: string; partitions: number[] }[]
}

async function sendHeartbeat(
  client: Client,
  body: HeartbeatBody,
  lane: string,
): Promise<HeartbeatAnswer> {
  const connection = await client.cluster.coordinator(body.groupId, lane)
  return await connection.send(consumerGroupHeartbeat, body)
}

function topicsOf(offsets: Readonly<Record<string, number>>) {
  const topics = new Map<string, { partitionIndex: number; committedOffset: number }[]>()
  for (const [name, committedOffset] of Object.entries(offsets)) {
    const { topic, partition: partitionIndex } = topicPartitionOf(name)
    topics.set(topic, [...(topics.get(topic) ?? []), { partitionIndex, committedOffset }])
  }
  return [...topics].map(([name, partitions]) => ({
    name,
    partitions: partitions.map((partition) => ({ ...partition, committedMetadata: '' })),
  }))
}
