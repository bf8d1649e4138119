// Finds the consumer group of a heartbeat, and converts groups between the protocols: an empty
// group takes the protocol of its next member, and a classic group of consumers becomes a consumer
// group, with its members, when the first member of the consumer protocol (KIP-848) joins. Must
// never convert a group for a member that is then refused.

import { consumerProtocolType } from '../../../protocol/kafka/coordinators/groups.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { ClassicGroup } from '../classic/classicGroup.ts'
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

  /** Handles a heartbeat. The answer is returned once all state that it reports is durable. */
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

  /** Makes an empty consumer group a classic group, for a classic member that joins it. */
  makeClassicIfEmpty(entry: GroupEntry): void {
    const { group, groupId } = entry
    if (group.type === 'classic' || !group.isEmpty) return
    if (!group.isUntouched) this.#registry.setLeftovers(entry, group.tombstones())
    this.#registry.replace(entry, this.#registry.newClassicGroup(groupId))
    if (entry.leftovers.length > 0) this.#registry.appendGroup(entry, [], { type: 'leftovers' })
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
    // Checked first: a group is not converted for a member that is then refused.
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

  /** Returns the classic group as a consumer group, or why it cannot be converted. */
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
    const group = this.#registry.newConsumerGroup(nowMs, state)
    const records = state.members.size > 0 ? state.records() : []
    const tombstones = classic.isUntouched ? [] : classic.tombstones()
    group.writeFirst([...entry.leftovers, ...tombstones, ...records])
    this.#registry.setLeftovers(entry, [])
    // Members that wait for a generation are asked to rejoin; they join the new group.
    classic.end(ErrorCode.rebalanceInProgress)
    this.#registry.replace(entry, group)
    return group
  }
}
