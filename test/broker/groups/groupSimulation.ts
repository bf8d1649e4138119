// Simulated clients of one group around a coordinator, without clocks, logs or sockets: the test
// chooses every action, and when an append completes. Every answer and effect of the coordinator is
// checked against its invariants, in whatever order they occur.

import { expect } from 'vitest'
import type { ConsumerGroupLimits } from '../../../broker/groups/consumer/consumerGroup.ts'
import { GroupCoordinator, type GroupEvent } from '../../../broker/groups/groupCoordinator.ts'
import type { JoinOutcome, SyncOutcome } from '../../../broker/groups/groupOutcome.ts'
import type { CoordinatorEffect } from '../../../broker/groups/groupRegistry.ts'
import { consumerProtocolSubscription } from '../../../protocol/kafka/coordinators/groups.ts'
import { ErrorCode, errorName } from '../../../protocol/kafka/errors.ts'
import { MemoryCatalog } from './memoryCatalog.ts'
import { SimulatedLog } from './simulatedLog.ts'

export const groupId = 'g'
export const partitionCount = 4
export const consumerLimits: ConsumerGroupLimits = {
  maxSize: 100,
  classicMaxSize: 100,
  assignors: ['uniform', 'range'],
  canUpgrade: true,
  canDowngrade: true,
  sessionTimeoutMs: () => 45_000,
  heartbeatIntervalMs: () => 5_000,
}
export const generousLimits = {
  initialRebalanceDelayMs: 0,
  maxSize: 100,
  minSessionTimeoutMs: 1,
  maxSessionTimeoutMs: 1_000_000,
  maxOffsetMetadataBytes: 100,
  maxMemberBytes: 1_000_000,
  maxGroups: 100,
  offsetsRetentionMs: 1_000_000_000,
  consumer: consumerLimits,
}
export type SimulationLimits = Partial<typeof generousLimits>

export interface ClientOptions {
  readonly groupInstanceId?: string
  /** The assignors of the client, in its order of preference. */
  readonly protocols?: readonly string[]
  readonly requireKnownMemberId?: boolean
  readonly supportsSkippingAssignment?: boolean
  readonly sessionTimeoutMs?: number
  readonly rebalanceTimeoutMs?: number
  readonly protocolType?: string
  /** Its subscription to these topics, or bytes that cannot be decoded. */
  readonly topics?: readonly string[]
}

export interface SimulatedClient {
  readonly name: string
  readonly options: ClientOptions
  memberId: string
  generationId: number
  leads: boolean
  members: readonly string[]
  /** The assignment from SyncGroup; undefined before. */
  partitions: readonly number[] | undefined
}

interface Pending {
  readonly client: SimulatedClient
  readonly kind: 'join' | 'sync' | 'commit' | 'transactionalCommit'
  readonly generationId: number
  /** The state of the client when it sent the request. */
  readonly currentGenerationId: number
}

export class GroupSimulation {
  coordinator: GroupCoordinator
  readonly clients: SimulatedClient[]
  readonly log = new SimulatedLog()
  /** Answers that the test has not read yet: `name kind OUTCOME`. */
  readonly answers: string[] = []
  nowMs = 0
  readonly #limits: SimulationLimits
  readonly #pending = new Map<number, Pending>()
  readonly #administrators = new Map<number, (errorCodes: readonly number[]) => void>()
  readonly #agreed = new Map<number, { protocolName: string | null }>()
  /** The owner of each partition in each generation, as answered. */
  readonly #owners = new Map<string, string>()
  #newestGenerationId = 0
  #wakeAtMs = Number.POSITIVE_INFINITY
  #nextRequestId = 1
  #nextMemberNumber = 1

  constructor(
    clients: readonly (ClientOptions & { readonly name: string })[],
    limits: SimulationLimits = {},
  ) {
    this.#limits = limits
    this.coordinator = this.#newCoordinator()
    this.clients = clients.map(({ name, ...options }) => ({
      name,
      options,
      memberId: '',
      generationId: -1,
      leads: false,
      members: [],
      partitions: undefined,
    }))
  }

  #newCoordinator(): GroupCoordinator {
    return new GroupCoordinator({
      limits: { ...generousLimits, ...this.#limits },
      newMemberId: (prefix) => `${prefix}-${this.#nextMemberNumber++}`,
      catalog: new MemoryCatalog(),
    })
  }

  /**
   * Moves the leadership to another broker. Of the appends in flight the first `written` are in the
   * log; the coordinator that resigns gets the result of none.
   */
  moveLeader(written: number): void {
    this.log.write(written)
    this.handle({ type: 'closed' })
    this.restartBroker()
  }

  /** Restarts the broker: pending requests get no answer, and only the log remains. */
  restartBroker(): void {
    this.log.crash()
    this.#pending.clear()
    this.#administrators.clear()
    this.#agreed.clear()
    this.#wakeAtMs = Number.POSITIVE_INFINITY
    this.coordinator = this.#newCoordinator()
    const replay = this.coordinator.replay()
    this.log.replay(replay)
    this.#perform(this.coordinator.loaded(this.nowMs, this.nowMs, replay))
  }

  /** Sends an event to the coordinator. */
  handle(event: GroupEvent): void {
    this.#perform(this.coordinator.handle(this.nowMs, event))
  }

  /** Sends a request that is answered immediately, with error codes. */
  ask(eventOf: (requestId: number) => GroupEvent): readonly number[] {
    let answered: readonly number[] | undefined
    this.administer(eventOf, (codes) => {
      answered = codes
    })
    expect(answered, 'answered immediately').toBeDefined()
    return answered!
  }

  get waiting(): number {
    return this.#pending.size + this.#administrators.size
  }

  isWaiting(client: SimulatedClient): boolean {
    return [...this.#pending.values()].some((pending) => pending.client === client)
  }

  /** Takes the next step of a real client that wants to be a member. */
  takePart(client: SimulatedClient): void {
    if (this.isWaiting(client)) return
    if (client.generationId === -1) {
      this.join(client)
      return
    }
    const code = this.heartbeat(client)
    const isUnknown = code === ErrorCode.unknownMemberId || code === ErrorCode.fencedInstanceId
    if (isUnknown) this.restart(client)
    if (code !== ErrorCode.none) this.join(client)
    else if (client.partitions === undefined) this.sync(client)
  }

  join(client: SimulatedClient): void {
    const { options } = client
    const protocols = options.protocols ?? ['range']
    const requestId = this.#request(client, 'join', -1)
    const request = {
      memberId: client.memberId,
      groupInstanceId: options.groupInstanceId ?? null,
      clientId: client.name,
      clientHost: '/test',
      sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 30_000,
      protocolType: options.protocolType ?? 'consumer',
      protocols: protocols.map((name) => ({ name, metadata: subscription(client) })),
      requireKnownMemberId: options.requireKnownMemberId ?? false,
      supportsSkippingAssignment: options.supportsSkippingAssignment ?? true,
    }
    this.handle({ type: 'join', requestId, groupId, request })
  }

  /** The leader assigns the partitions to the members in its JoinGroup answer. */
  sync(client: SimulatedClient, protocol: { type?: string; name?: string } = {}): void {
    const assignments = client.members.map((memberId, index) => ({
      memberId,
      assignment: Buffer.from(
        Array.from({ length: partitionCount }, (_, partition) => partition).filter(
          (partition) => partition % client.members.length === index,
        ),
      ),
    }))
    const requestId = this.#request(client, 'sync', client.generationId)
    const request = {
      ...identity(client),
      generationId: client.generationId,
      protocolType: protocol.type ?? null,
      protocolName: protocol.name ?? null,
      assignments: client.leads ? assignments : [],
    }
    this.handle({ type: 'sync', requestId, groupId, request })
  }

  heartbeat(client: SimulatedClient): number {
    const { generationId } = client
    const of = { groupId, identity: identity(client), generationId }
    const [code] = this.ask((requestId) => ({ type: 'heartbeat', requestId, ...of }))
    this.answers.push(`${client.name} heartbeat ${errorName(code!)}`)
    return code!
  }

  leave(...clients: readonly SimulatedClient[]): void {
    const members = clients.map(identity)
    this.administer(
      (requestId) => ({ type: 'leave', requestId, groupId, members }),
      (codes) => {
        for (const [index, client] of clients.entries()) {
          this.answers.push(`${client.name} leave ${errorName(codes[index]!)}`)
          this.restart(client)
        }
      },
    )
  }

  commit(client: SimulatedClient, offset: number, partition = 0): void {
    const requestId = this.#request(client, 'commit', client.generationId)
    const committer = { ...identity(client), generationId: client.generationId, apiVersion: 9 }
    const offsets = [this.#offsetOf(offset, partition)]
    this.handle({ type: 'commit', requestId, groupId, committer, offsets })
  }

  /** A producer commits for the client, within its transaction. */
  commitInTransaction(
    client: SimulatedClient,
    producerId: number,
    offset: number,
    partition = 0,
  ): void {
    const { generationId } = client
    const requestId = this.#request(client, 'transactionalCommit', generationId)
    const offsets = [this.#offsetOf(offset, partition)]
    const member = identity(client)
    const commit = { groupId, member, generationId, producerId, producerEpoch: 0, offsets }
    this.handle({ type: 'commitInTransaction', requestId, commit })
  }

  endTransaction(producerId: number, isCommitted: boolean): void {
    this.log.mark(producerId, isCommitted)
    this.handle({ type: 'transactionEnded', producerId, isCommitted })
  }

  /** Commits as a client outside of the group. `done` gets the error codes. */
  administer(
    eventOf: (requestId: number) => GroupEvent,
    done: (errorCodes: readonly number[]) => void = () => {},
  ): void {
    const id = this.#nextRequestId++
    this.#administrators.set(id, done)
    this.handle(eventOf(id))
  }

  expireOffsets(): void {
    this.handle({ type: 'expireOffsets', wallClockMs: this.nowMs })
  }

  #offsetOf(offset: number, partition: number) {
    const value = {
      offset,
      leaderEpoch: 0,
      metadata: '',
      commitTimestampMs: this.nowMs,
      expireTimestampMs: -1,
    }
    return { topic: 't', partition, value }
  }

  /** Restarts the process of the client, which forgets everything. */
  restart(client: SimulatedClient): void {
    client.memberId = ''
    client.generationId = -1
    client.leads = false
    client.members = []
    client.partitions = undefined
  }

  /** Completes the oldest append in flight: it is durable or fails. */
  completeAppend(errorCode: number = ErrorCode.none): void {
    const completed = this.log.complete(errorCode)
    if (!completed) return
    this.handle({ type: 'appended', ...completed })
  }

  completeAllAppends(): void {
    while (!this.log.isIdle) this.completeAppend()
  }

  /** Advances the time, and wakes the coordinator at the times that it has asked for. */
  advance(ms: number): void {
    const until = this.nowMs + ms
    while (this.#wakeAtMs <= until) {
      this.nowMs = Math.max(this.nowMs, this.#wakeAtMs)
      this.#wakeAtMs = Number.POSITIVE_INFINITY
      this.handle({ type: 'wake', groupId })
    }
    this.nowMs = until
  }

  takeAnswers(): string[] {
    return this.answers.splice(0)
  }

  #request(client: SimulatedClient, kind: Pending['kind'], generationId: number): number {
    const id = this.#nextRequestId++
    const currentGenerationId = this.coordinator.classicGroup(groupId)?.generationId ?? -1
    this.#pending.set(id, { client, kind, generationId, currentGenerationId })
    return id
  }

  #answered(requestId: number): Pending {
    const pending = this.#pending.get(requestId)
    expect(pending, `request ${requestId} is answered once`).toBeDefined()
    this.#pending.delete(requestId)
    return pending!
  }

  /** A new group with the same id starts its generations again. */
  #forgetGenerations(): void {
    this.#agreed.clear()
    this.#owners.clear()
  }

  /** Performs the effects of the coordinator. */
  #perform(effects: readonly CoordinatorEffect[]): void {
    // The group may have been created again by offsets alone.
    const { generationId = 0 } = this.coordinator.classicGroup(groupId) ?? {}
    if (generationId === 0) this.#forgetGenerations()
    for (const effect of effects) {
      if (effect.type === 'joined') this.#joined(this.#answered(effect.requestId), effect.outcome)
      else if (effect.type === 'synced')
        this.#synced(this.#answered(effect.requestId), effect.outcome)
      else if (effect.type === 'answered') this.#written(effect.requestId, effect.errorCodes)
      else if (effect.type === 'append') this.log.append(effect)
      else if (effect.type === 'wakeAt') this.#wakeAtMs = effect.atMs
    }
  }

  #joined({ client }: Pending, outcome: JoinOutcome): void {
    const detail = outcome.errorCode === ErrorCode.none ? ` ${describeJoin(outcome)}` : ''
    this.answers.push(`${client.name} join ${errorName(outcome.errorCode)}${detail}`)
    if (outcome.errorCode === ErrorCode.memberIdRequired) client.memberId = outcome.memberId
    if (outcome.errorCode === ErrorCode.unknownMemberId) this.restart(client)
    if (outcome.errorCode !== ErrorCode.none) return
    client.memberId = outcome.memberId
    client.generationId = outcome.generationId
    client.leads = outcome.leader === outcome.memberId && !outcome.skipAssignment
    client.members = outcome.members.map(({ memberId }) => memberId)
    client.partitions = undefined
    this.#newestGenerationId = Math.max(this.#newestGenerationId, outcome.generationId)
    const agreed = this.#agreed.get(outcome.generationId)
    const { protocolName } = outcome
    if (agreed) expect(protocolName, 'a generation has one protocol').toBe(agreed.protocolName)
    else this.#agreed.set(outcome.generationId, { protocolName })
  }

  #synced({ client, generationId }: Pending, { errorCode, assignment }: SyncOutcome): void {
    const detail = errorCode === ErrorCode.none ? ` ${[...assignment].join(',')}` : ''
    this.answers.push(`${client.name} sync ${errorName(errorCode)}${detail}`)
    if (errorCode !== ErrorCode.none) return
    const isDurable = this.log.groupRecords().some((record) => {
      return record.type === 'group' && record.value?.generation === generationId
    })
    expect(isDurable, 'an assignment is durable before any member is answered with it').toBe(true)
    client.partitions = [...assignment]
    const owner = client.options.groupInstanceId ?? client.memberId
    for (const partition of assignment) {
      const key = `${generationId}/${partition}`
      const known = this.#owners.get(key) ?? owner
      expect(owner, `partition ${partition} has one owner in generation ${generationId}`).toBe(
        known,
      )
      this.#owners.set(key, owner)
    }
  }

  #written(requestId: number, errorCodes: readonly number[]): void {
    const administrator = this.#administrators.get(requestId)
    if (administrator) {
      this.#administrators.delete(requestId)
      administrator(errorCodes)
      return
    }
    const { client, kind, generationId, currentGenerationId } = this.#answered(requestId)
    this.answers.push(`${client.name} ${kind} ${errorCodes.map(errorName).join(',')}`)
    if (errorCodes.some((code) => code !== ErrorCode.none) || generationId < 0) return
    expect(generationId, 'no commit from an old generation').toBe(currentGenerationId)
  }
}

function identity({ memberId, options }: SimulatedClient) {
  return { memberId, groupInstanceId: options.groupInstanceId ?? null }
}

function subscription({ name, options }: SimulatedClient): Buffer {
  const { topics } = options
  return topics ? consumerProtocolSubscription.encode({ topics }) : Buffer.from(name)
}

function describeJoin(outcome: JoinOutcome): string {
  const members = outcome.members.map(({ memberId }) => memberId).join(' ')
  const skip = outcome.skipAssignment ? ' skip' : ''
  const leads = outcome.leader === outcome.memberId ? ` leads [${members}]` : ''
  return `${outcome.memberId} generation ${outcome.generationId} ${outcome.protocolName}${leads}${skip}`
}
