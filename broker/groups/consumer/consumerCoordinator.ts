// Finds the consumer group that a heartbeat is for, and has groups change their kind: an empty one
// becomes what its next member speaks, and a classic group of consumers becomes a consumer group
// while its members go on, when the first member comes that speaks the protocol of KIP-848.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { consumerProtocolType } from '../../../protocol/kafka/groups.ts'
import type { ClassicGroup } from '../classicGroup.ts'
import type { GroupEntry, GroupRegistry } from '../groupRegistry.ts'
import { ConsumerGroup, type ConsumerGroupLimits } from './consumerGroup.ts'
import { joinEpoch } from './consumerGroupMember.ts'
import { ConsumerGroupState } from './consumerGroupState.ts'
import { consumerGroupOf } from './groupConversion.ts'
import {
  bytesOfRequest,
  checkRequest,
  groupIsFull,
  type HeartbeatRequest,
  type Refusal,
  refused,
} from './heartbeatRequest.ts'
import type { TopicCatalog } from './topicCatalog.ts'

export class ConsumerCoordinator {
  readonly #registry: GroupRegistry
  readonly #limits: ConsumerGroupLimits
  readonly #catalog: TopicCatalog

  constructor(registry: GroupRegistry, limits: ConsumerGroupLimits, catalog: TopicCatalog) {
    this.#registry = registry
    this.#limits = limits
    this.#catalog = catalog
  }

  /** Answered when everything that the answer says is durable. */
  heartbeat(nowMs: number, requestId: number, groupId: string, request: HeartbeatRequest): void {
    const group =
      checkRequest(groupId, request, this.#limits.assignors) ??
      this.#groupFor(nowMs, groupId, request)
    if ('errorCode' in group) {
      this.#registry.effect({ type: 'heartbeatAnswered', requestId, outcome: refused(group) })
      return
    }
    group.consumerHeartbeat(nowMs, requestId, request)
    this.#registry.settle(this.#registry.find(groupId)!)
  }

  /** Classic members come to a group in which nobody is: it becomes theirs. */
  makeClassicIfEmpty(entry: GroupEntry): void {
    const { group, groupId, effects } = entry
    if (group.type === 'classic' || !group.isEmpty) return
    if (!group.isUntouched) entry.leftovers = group.tombstones()
    entry.group = this.#registry.classicGroup(groupId, effects)
    if (entry.leftovers.length > 0) this.#registry.write(entry, [], () => {})
  }

  #groupFor(nowMs: number, groupId: string, request: HeartbeatRequest): ConsumerGroup | Refusal {
    const known = this.#registry.find(groupId)
    if (known?.group instanceof ConsumerGroup) return known.group
    if (request.memberEpoch !== joinEpoch) {
      const message = known
        ? `Group ${groupId} is not a consumer group.`
        : `Consumer group ${groupId} not found.`
      return { errorCode: ErrorCode.groupIdNotFound, message }
    }
    if (!known && this.#registry.isFull) {
      return { errorCode: ErrorCode.groupMaxSizeReached, message: 'There are too many groups.' }
    }
    const entry = this.#registry.findOrCreate(groupId)
    const classic = entry.group as ClassicGroup
    const state = classic.isEmpty ? new ConsumerGroupState(groupId) : this.#stateOf(classic)
    if ('errorCode' in state) return state
    // Asked before anything changes: a group is not to change its kind for one who is not let in.
    if (!this.#hasRoomFor(request, state)) return groupIsFull(this.#limits.maxSize)
    return this.#replace(nowMs, entry, classic, state)
  }

  #hasRoomFor(request: HeartbeatRequest, { members }: ConsumerGroupState): boolean {
    const isMember = members.has(request.memberId)
    return (
      (isMember || members.size < this.#limits.maxSize) &&
      this.#registry.budget.hasRoomFor(bytesOfRequest(request))
    )
  }

  /** The classic group as a consumer group, or why it cannot be one. */
  #stateOf(classic: ClassicGroup): ConsumerGroupState | Refusal {
    const { groupId } = classic
    const cannot = (reason: string): Refusal => ({
      errorCode: ErrorCode.groupIdNotFound,
      message: `Cannot upgrade classic group ${groupId} to consumer group because ${reason}.`,
    })
    if (!this.#limits.canUpgrade) return cannot('online upgrade is disabled')
    if (classic.protocolType !== consumerProtocolType) {
      return cannot('the group does not use the consumer embedded protocol')
    }
    if ([...classic.members()].length > this.#limits.maxSize) {
      return cannot('the group size exceeds the consumer group maximum size')
    }
    const state = consumerGroupOf(classic, this.#catalog)
    return typeof state === 'string' ? cannot(state) : state
  }

  #replace(
    nowMs: number,
    entry: GroupEntry,
    classic: ClassicGroup,
    state: ConsumerGroupState,
  ): ConsumerGroup {
    const group = this.#registry.consumerGroup(nowMs, state, entry.effects)
    const records = state.members.size > 0 ? state.records() : []
    const tombstones = classic.isUntouched ? [] : classic.tombstones()
    group.writeFirst([...entry.leftovers, ...tombstones, ...records])
    entry.leftovers = []
    // Whoever waits for a generation is told to join again, and does so with the new group.
    classic.end(ErrorCode.rebalanceInProgress)
    entry.group = group
    return group
  }
}
