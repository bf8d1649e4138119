// The group coordinator of the fake broker: classic consumer groups with Kafka's rules for joins,
// generations and commits, as far as the tests of members need them.

import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { leaveGroup } from '../../../protocol/kafka/apis/leaveGroup.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { RequestHandlers } from './requestHandlers.ts'

interface Member {
  readonly id: string
  metadata: Buffer
  joining: ((generation: number) => void) | undefined
  syncing: ((assignment: Buffer) => void) | undefined
}

interface Group {
  state: 'empty' | 'preparing' | 'completing' | 'stable'
  generation: number
  leader: string
  members: Map<string, Member>
  offsets: Map<string, number>
  assignments: Map<string, Buffer>
}

/** Minimum duration of a rebalance, so that members that start together share a generation. */
const joinMs = 50
const rebalanceTimeoutMs = 10_000
const nothing = Buffer.alloc(0)

export class FakeGroups {
  readonly #clock: Clock
  readonly #groups = new Map<string, Group>()
  #lastMember = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  group(groupId: string): Group {
    let group = this.#groups.get(groupId)
    if (group === undefined) {
      group = {
        state: 'empty',
        generation: 0,
        leader: '',
        members: new Map(),
        offsets: new Map(),
        assignments: new Map(),
      }
      this.#groups.set(groupId, group)
    }
    return group
  }

  /** Forgets the members, as a coordinator does whose session timeout passed. */
  expelAll(groupId: string): void {
    this.group(groupId).members.clear()
    this.group(groupId).state = 'empty'
  }

  install(cluster: RequestHandlers): void {
    cluster.handle(findCoordinator, (request, { version }) => {
      const { host, port } = cluster.addresses[0]!
      const found = { errorCode: 0, errorMessage: null, nodeId: 0, host, port }
      if (version < 4) return found
      return { coordinators: request.coordinatorKeys.map((key) => ({ key, ...found })) }
    })
    cluster.handle(joinGroup, (request) => this.#join(request))
    cluster.handle(syncGroup, (request) => this.#sync(request))
    cluster.handle(heartbeat, (request) => ({
      errorCode: this.#check(request.groupId, request.memberId, request.generationId),
    }))
    cluster.handle(leaveGroup, (request, { version }) => this.#leave(request, version))
    cluster.handle(offsetCommit, (request) => this.#commit(request))
    cluster.handle(offsetFetch, (request, { version }) => this.#offsets(request, version))
  }

  #check(groupId: string, memberId: string, generation: number): number {
    const group = this.group(groupId)
    if (!group.members.has(memberId)) return ErrorCode.unknownMemberId
    if (group.generation !== generation) return ErrorCode.illegalGeneration
    return group.state === 'stable' ? ErrorCode.none : ErrorCode.rebalanceInProgress
  }

  #join(request: RequestOf<typeof joinGroup>) {
    const group = this.group(request.groupId)
    const none = { generationId: -1, protocolName: null, leader: '', members: [] }
    if (request.memberId === '') {
      const memberId = `member-${++this.#lastMember}`
      group.members.set(memberId, member(memberId))
      return { ...none, errorCode: ErrorCode.memberIdRequired, memberId }
    }
    const joining = group.members.get(request.memberId)
    if (joining === undefined) {
      return { ...none, errorCode: ErrorCode.unknownMemberId, memberId: request.memberId }
    }
    joining.metadata = Buffer.from(request.protocols[0]!.metadata)
    return new Promise<ReturnType<typeof this.joined>>((resolve) => {
      joining.joining = () => resolve(this.joined(group, joining, request.protocols[0]!.name))
      this.#prepare(group)
    })
  }

  joined(group: Group, { id }: Member, protocolName: string) {
    const isLeader = group.leader === id
    return {
      errorCode: ErrorCode.none,
      generationId: group.generation,
      protocolType: 'consumer',
      protocolName,
      leader: group.leader,
      memberId: id,
      members: isLeader
        ? [...group.members.values()].map(({ id: memberId, metadata }) => ({ memberId, metadata }))
        : [],
    }
  }

  /** Waits until all known members have joined, but at most for the rebalance timeout. */
  #prepare(group: Group): void {
    if (group.state === 'preparing') return
    group.state = 'preparing'
    const deadlineMs = this.#clock.monotonicMs() + rebalanceTimeoutMs
    const look = () => {
      const isWaiting = [...group.members.values()].some(({ joining }) => joining === undefined)
      if (isWaiting && this.#clock.monotonicMs() < deadlineMs) this.#clock.setTimer(joinMs, look)
      else this.#complete(group)
    }
    this.#clock.setTimer(joinMs, look)
  }

  /** Removes members that have not joined, and starts the next generation. */
  #complete(group: Group): void {
    for (const member of group.members.values()) {
      if (member.joining === undefined) group.members.delete(member.id)
    }
    group.generation++
    group.leader = [...group.members.keys()][0] ?? ''
    group.state = group.members.size === 0 ? 'empty' : 'completing'
    group.assignments.clear()
    for (const member of group.members.values()) {
      member.joining!(group.generation)
      member.joining = undefined
    }
  }

  #sync(request: RequestOf<typeof syncGroup>) {
    const group = this.group(request.groupId)
    const member = group.members.get(request.memberId)
    const errorCode = this.#check(request.groupId, request.memberId, request.generationId)
    if (member === undefined || (errorCode !== 0 && group.state !== 'completing')) {
      return { errorCode, assignment: nothing }
    }
    return new Promise<{ errorCode: number; assignment: Buffer }>((resolve) => {
      member.syncing = (assignment) => resolve({ errorCode: 0, assignment })
      if (request.memberId === group.leader) {
        group.state = 'stable'
        for (const { memberId, assignment } of request.assignments) {
          group.assignments.set(memberId, Buffer.from(assignment))
        }
      }
      if (group.state !== 'stable') return
      for (const waiting of group.members.values()) {
        waiting.syncing?.(group.assignments.get(waiting.id) ?? nothing)
        waiting.syncing = undefined
      }
    })
  }

  #leave(request: RequestOf<typeof leaveGroup>, version: number) {
    const group = this.group(request.groupId)
    const members = request.members.length > 0 ? request.members : [{ memberId: request.memberId }]
    for (const { memberId } of members) group.members.delete(memberId)
    // The other members learn of the rebalance by their next heartbeat, and rejoin.
    if (group.members.size > 0) this.#prepare(group)
    if (version < 3) return { errorCode: ErrorCode.none }
    return {
      errorCode: ErrorCode.none,
      members: members.map(({ memberId }) => ({ memberId, groupInstanceId: null, errorCode: 0 })),
    }
  }

  #commit(request: RequestOf<typeof offsetCommit>) {
    const group = this.group(request.groupId)
    const { memberId, generationIdOrMemberEpoch: generation } = request
    const checked = generation < 0 ? 0 : this.#check(request.groupId, memberId, generation)
    return {
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, committedOffset }) => {
          if (checked === 0) group.offsets.set(`${name}-${partitionIndex}`, committedOffset)
          return { partitionIndex, errorCode: checked }
        }),
      })),
    }
  }

  #offsets(request: RequestOf<typeof offsetFetch>, version: number) {
    const asked = request.groups[0] ?? { groupId: request.groupId, topics: request.topics }
    const { offsets } = this.group(asked.groupId)
    const topics = (asked.topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        committedOffset: offsets.get(`${name}-${partitionIndex}`) ?? -1,
        metadata: null,
        errorCode: 0,
      })),
    }))
    return version < 8 ? { topics } : { groups: [{ groupId: asked.groupId, topics }] }
  }
}

function member(id: string): Member {
  return { id, metadata: nothing, joining: undefined, syncing: undefined }
}
