// The classic members of a consumer group: members that use JoinGroup and SyncGroup while the group
// migrates from one protocol to the other. JoinGroup acts as a full heartbeat, SyncGroup fetches
// the assignment that the join computed, and Heartbeat says when to rejoin: every member epoch is a
// generation of its own. There is no leader, because the coordinator assigns.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import {
  consumerProtocolSubscription,
  consumerProtocolType,
} from '../../../protocol/kafka/coordinators/groups.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { type GroupEffect, joinError, syncError } from '../groupOutcome.ts'
import type { JoinRequest, MemberIdentity, SyncRequest } from '../groupRequests.ts'
import { encodeAssignment, fromTopics, protocolVersion } from './classicProtocol.ts'
import {
  bytesOf,
  type ClassicMemberMetadata,
  type ConsumerGroupMember,
  MemberState,
  newConsumerMember,
  topicNames,
} from './consumerGroupMember.ts'
import type { ConsumerGroupState } from './consumerGroupState.ts'
import type { GroupReconciliation } from './groupReconciliation.ts'
import type { MemberDeadlines } from './memberDeadlines.ts'
import { identifyMember } from './memberIdentity.ts'
import type { RecordJournal } from './recordJournal.ts'
import type { TopicCatalog } from './topicCatalog.ts'
import { hasPartition } from './topicPartitions.ts'

export interface ClassicMembersDependencies {
  readonly state: ConsumerGroupState
  readonly journal: RecordJournal
  readonly deadlines: MemberDeadlines
  readonly reconciliation: GroupReconciliation
  readonly catalog: TopicCatalog
  readonly effects: GroupEffect[]
  readonly newMemberId: (prefix: string) => string
  readonly hasRoomFor: (memberId: string, bytes: number) => boolean
  /** Called when a member has joined, before its records are written. */
  readonly onAdmitted: () => void
}

/** A member that uses the classic protocol. */
type ClassicMember = ConsumerGroupMember & { readonly classic: ClassicMemberMetadata }
type Subscription = ReturnType<typeof consumerProtocolSubscription.decode>

export class ClassicMembers {
  readonly #dependencies: ClassicMembersDependencies
  readonly #state: ConsumerGroupState

  constructor(dependencies: ClassicMembersDependencies) {
    this.#dependencies = dependencies
    this.#state = dependencies.state
  }

  join(nowMs: number, requestId: number, request: JoinRequest): void {
    const { groupInstanceId, requireKnownMemberId } = request
    const isUnknown = request.memberId === ''
    const memberId =
      request.memberId || this.#dependencies.newMemberId(groupInstanceId ?? request.clientId)
    const subscription = readSubscription(request)
    const refusal = this.#refuseJoin(memberId, request)
    if (refusal !== ErrorCode.none || !subscription) {
      const error = refusal || ErrorCode.inconsistentGroupProtocol
      this.#joined(requestId, joinError(error, request.memberId))
    } else if (isUnknown && groupInstanceId === null && requireKnownMemberId) {
      this.#joined(requestId, joinError(ErrorCode.memberIdRequired, memberId))
    } else {
      const before = this.#memberToJoin(memberId, request)
      if (typeof before === 'number') this.#joined(requestId, joinError(before, memberId))
      else this.#admit(nowMs, requestId, before, request, subscription)
    }
  }

  #refuseJoin(memberId: string, { protocolType, protocols }: JoinRequest): number {
    const classic = { sessionTimeoutMs: 0, supportedProtocols: protocols }
    const bytes = bytesOf({ subscribedTopicNames: [], subscribedTopicRegex: null, classic })
    if (!this.#dependencies.hasRoomFor(memberId, bytes)) return ErrorCode.groupMaxSizeReached
    const agrees =
      protocolType === consumerProtocolType && protocols.some(({ name }) => this.#isSpoken(name))
    return agrees ? ErrorCode.none : ErrorCode.inconsistentGroupProtocol
  }

  /**
   * Whether every classic member supports the protocol, which a downgrade of the group requires.
   */
  #isSpoken(name: string): boolean {
    for (const { classic } of this.#state.members.values()) {
      if (classic && !classic.supportedProtocols.some((each) => each.name === name)) return false
    }
    return true
  }

  #memberToJoin(memberId: string, request: JoinRequest): ConsumerGroupMember | number {
    const { groupInstanceId } = request
    if (groupInstanceId === null) {
      return this.#state.members.get(memberId) ?? newConsumerMember(memberId)
    }
    // A request with a member id claims to be this member already.
    if (request.memberId !== '') return identifyMember(this.#state, request)
    const old = this.#state.byInstance(groupInstanceId)
    return old
      ? this.#dependencies.reconciliation.replace(old, memberId)
      : newConsumerMember(memberId)
  }

  #admit(
    nowMs: number,
    requestId: number,
    before: ConsumerGroupMember,
    request: JoinRequest,
    subscription: Subscription,
  ): void {
    const { memberId } = before
    const { sessionTimeoutMs, rebalanceTimeoutMs, protocols } = request
    const member = this.#dependencies.reconciliation.advance(
      nowMs,
      {
        ...before,
        instanceId: request.groupInstanceId ?? before.instanceId,
        rackId: subscription.rackId ?? before.rackId,
        clientId: request.clientId,
        clientHost: request.clientHost,
        rebalanceTimeoutMs,
        subscribedTopicNames: topicNames(subscription.topics),
        classic: { sessionTimeoutMs, supportedProtocols: owned(protocols) },
      },
      fromTopics(subscription.ownedPartitions, this.#dependencies.catalog),
    )
    const { onAdmitted, deadlines, journal } = this.#dependencies
    deadlines.cancel(memberId, 'join')
    deadlines.set(memberId, 'session', nowMs + sessionTimeoutMs)
    deadlines.set(memberId, 'sync', nowMs + rebalanceTimeoutMs)
    onAdmitted()
    const outcome = {
      errorCode: ErrorCode.none,
      memberId,
      generationId: member.memberEpoch,
      protocolType: consumerProtocolType,
      protocolName: protocols[0]!.name,
      leader: '',
      skipAssignment: false,
      members: [],
    }
    journal.flush({ type: 'joined', requestId, outcome })
  }

  sync(nowMs: number, requestId: number, request: SyncRequest): void {
    const { effects, deadlines, journal, catalog } = this.#dependencies
    const member = this.#authenticate(request, request.generationId)
    const error = typeof member === 'number' ? member : this.#refuseSync(nowMs, member, request)
    if (typeof member === 'number' || error !== ErrorCode.none) {
      effects.push({ type: 'synced', requestId, outcome: syncError(error) })
      return
    }
    deadlines.cancel(member.memberId, 'sync')
    this.touch(nowMs, member)
    const assignment = encodeAssignment(member.assigned, protocolVersion(member.classic), catalog)
    const { protocolType, protocolName } = request
    const outcome = { errorCode: ErrorCode.none, protocolType, protocolName, assignment }
    journal.flush({ type: 'synced', requestId, outcome })
  }

  #refuseSync(nowMs: number, member: ClassicMember, request: SyncRequest): number {
    const { protocolType, protocolName } = request
    const disagrees =
      (protocolType !== null && protocolType !== consumerProtocolType) ||
      (protocolName !== null && protocolName !== member.classic.supportedProtocols[0]!.name)
    if (disagrees) return ErrorCode.inconsistentGroupProtocol
    // A member that still has to revoke partitions has already rejoined, and continues from there.
    const mustJoin =
      this.#state.groupEpoch > member.memberEpoch &&
      member.state !== MemberState.unrevokedPartitions
    return mustJoin ? this.#askToJoin(nowMs, member) : ErrorCode.none
  }

  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number {
    const member = this.#authenticate(identity, generationId)
    if (typeof member === 'number') return member
    this.touch(nowMs, member)
    const mustJoin =
      member.memberEpoch < this.#state.groupEpoch ||
      member.state === MemberState.unrevokedPartitions ||
      (member.state === MemberState.unreleasedPartitions && !this.#waitsForOthers(member))
    return mustJoin ? this.#askToJoin(nowMs, member) : ErrorCode.none
  }

  #askToJoin(nowMs: number, { memberId, rebalanceTimeoutMs }: ClassicMember): number {
    this.#dependencies.deadlines.setIfAbsent(memberId, 'join', nowMs + rebalanceTimeoutMs)
    return ErrorCode.rebalanceInProgress
  }

  /** Whether the owner of a partition in the member's target has not revoked it yet. */
  #waitsForOthers({ memberId, assigned }: ClassicMember): boolean {
    for (const [topicId, partitions] of this.#state.target(memberId)) {
      for (const partition of partitions) {
        const isMissing = !hasPartition(assigned, topicId, partition)
        if (isMissing && this.#state.isOwned(topicId, partition)) return true
      }
    }
    return false
  }

  /**
   * Returns the member that leaves, or that a tool removes by its instance id alone; or an error
   * code.
   */
  identifyLeaving(identity: MemberIdentity): ConsumerGroupMember | number {
    const { memberId, groupInstanceId } = identity
    const byInstance = memberId === '' && groupInstanceId !== null
    const member = byInstance
      ? (this.#state.byInstance(groupInstanceId) ?? ErrorCode.unknownMemberId)
      : identifyMember(this.#state, identity)
    return typeof member !== 'number' && !isClassic(member) ? ErrorCode.unknownMemberId : member
  }

  /**
   * Renews the session of a classic member. Only their own heartbeats renew the sessions of others.
   */
  touch(nowMs: number, { memberId, classic }: ConsumerGroupMember): void {
    if (classic)
      this.#dependencies.deadlines.set(memberId, 'session', nowMs + classic.sessionTimeoutMs)
  }

  #authenticate(identity: MemberIdentity, generationId: number): ClassicMember | number {
    const member = identifyMember(this.#state, identity)
    if (typeof member === 'number') return member
    if (!isClassic(member)) return ErrorCode.unknownMemberId
    return member.memberEpoch === generationId ? member : ErrorCode.illegalGeneration
  }

  #joined(requestId: number, outcome: ReturnType<typeof joinError>): void {
    this.#dependencies.effects.push({ type: 'joined', requestId, outcome })
  }
}

function isClassic(member: ConsumerGroupMember): member is ClassicMember {
  return member.classic !== null
}

/**
 * Decodes the subscription, which is the same for every protocol. Undefined when it is malformed.
 */
function readSubscription({ protocols }: JoinRequest): Subscription | undefined {
  const first = protocols[0]
  if (!first) return undefined
  try {
    return consumerProtocolSubscription.decode(first.metadata)
  } catch (error) {
    if (error instanceof MalformedError) return undefined
    throw error
  }
}

/**
 * Copies the metadata: the request's buffer is a chunk of the connection, and the group outlives
 * it.
 */
function owned(protocols: JoinRequest['protocols']): ClassicMemberMetadata['supportedProtocols'] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
}
