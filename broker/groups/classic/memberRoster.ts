// The roster of one classic group: members, promised member ids, static instances, the leader, and
// the protocols that all members support. Accounts for their memory. Holds no state of the
// rebalance.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { JoinRequest, MemberIdentity, MemberProtocol } from '../groupRequests.ts'
import type { MemberBudget } from '../memberBudget.ts'
import { type GroupMember, updateMember } from './groupMember.ts'

/** Memory of a member without its metadata, or of a promised member id, in bytes. */
const memberOverheadBytes = 512

export class MemberRoster {
  readonly #members = new Map<string, GroupMember>()
  readonly #instances = new Map<string, string>()
  /** Member ids given out with MEMBER_ID_REQUIRED, with the time at which each promise expires. */
  readonly #promised = new Map<string, number>()
  readonly #budget: MemberBudget
  leader: string | null = null

  /** `budget` bounds the memory for the metadata of the members of all groups. */
  constructor(budget: MemberBudget) {
    this.#budget = budget
  }

  get size(): number {
    return this.#members.size
  }

  get promised(): ReadonlyMap<string, number> {
    return this.#promised
  }

  /** Returns the members in the order in which they joined. */
  all(): Iterable<GroupMember> {
    return this.#members.values()
  }

  get(memberId: string): GroupMember | undefined {
    return this.#members.get(memberId)
  }

  /** Returns the member of a static instance. */
  byInstance(groupInstanceId: string): GroupMember | undefined {
    const memberId = this.#instances.get(groupInstanceId)
    return memberId === undefined ? undefined : this.#members.get(memberId)
  }

  /**
   * Returns 0 when the member id, and the static instance if named, belong to this group; otherwise
   * an error code.
   */
  identify({ memberId, groupInstanceId }: MemberIdentity): number {
    if (groupInstanceId !== null) {
      const member = this.byInstance(groupInstanceId)
      if (!member) return ErrorCode.unknownMemberId
      return member.memberId === memberId ? ErrorCode.none : ErrorCode.fencedInstanceId
    }
    return this.#members.has(memberId) ? ErrorCode.none : ErrorCode.unknownMemberId
  }

  /** Whether the memory budget has room for the metadata of a member that joins or rejoins. */
  canAfford(memberId: string, protocols: readonly MemberProtocol[]): boolean {
    const member = this.#members.get(memberId)
    const promisedBytes = this.#promised.has(memberId) ? memberOverheadBytes : 0
    const takenBytes = member ? memberBytes(member) : promisedBytes
    const more = memberOverheadBytes + protocolBytes(protocols) - takenBytes
    return this.#budget.hasRoomFor(more)
  }

  promise(memberId: string, deadlineMs: number): void {
    this.#promised.set(memberId, deadlineMs)
    this.#budget.take(memberOverheadBytes)
  }

  /** Withdraws the promise of a member id. Returns whether there was one. */
  withdraw(memberId: string): boolean {
    const wasPromised = this.#promised.delete(memberId)
    if (wasPromised) this.#budget.giveBack(memberOverheadBytes)
    return wasPromised
  }

  add(member: GroupMember): void {
    assert(
      !this.#members.has(member.memberId),
      `${member.memberId} is already a member of the group`,
    )
    this.withdraw(member.memberId)
    this.#budget.take(memberBytes(member))
    this.#members.set(member.memberId, member)
    if (member.groupInstanceId !== null) {
      this.#instances.set(member.groupInstanceId, member.memberId)
    }
    this.leader ??= member.memberId
  }

  remove(member: GroupMember): void {
    assert(this.#members.delete(member.memberId), `${member.memberId} is not a member of the group`)
    this.#budget.giveBack(memberBytes(member))
    if (member.groupInstanceId !== null) this.#instances.delete(member.groupInstanceId)
    if (this.leader !== member.memberId) return
    this.leader = this.#members.keys().next().value ?? null
  }

  clear(): void {
    for (const memberId of [...this.#promised.keys()]) this.withdraw(memberId)
    for (const member of [...this.#members.values()]) this.remove(member)
  }

  /** Replaces the metadata of a member that rejoins. */
  update(member: GroupMember, request: JoinRequest): void {
    this.#budget.giveBack(memberBytes(member))
    updateMember(member, request)
    this.#budget.take(memberBytes(member))
  }

  /** Replaces the member of a static instance that returned under a new member id. */
  replace(old: GroupMember, next: GroupMember): void {
    const wasLeader = this.leader === old.memberId
    this.remove(old)
    this.add(next)
    if (wasLeader) this.leader = next.memberId
  }

  /**
   * Elects a leader among the members that have joined, unless the current leader has. Returns
   * false when no member has joined, so that none could assign.
   */
  electJoinedLeader(): boolean {
    const leader = this.leader === null ? undefined : this.#members.get(this.leader)
    if (leader?.joinRequest !== undefined) return true
    for (const member of this.#members.values()) {
      if (member.joinRequest === undefined) continue
      this.leader = member.memberId
      return true
    }
    return false
  }

  get waitingToJoin(): number {
    let waiting = 0
    for (const member of this.#members.values()) if (member.joinRequest !== undefined) waiting++
    return waiting
  }

  /** Whether every member has joined and no promised member id is outstanding. */
  get allJoined(): boolean {
    return this.#promised.size === 0 && this.waitingToJoin === this.size
  }

  get longestRebalanceTimeoutMs(): number {
    let longest = 0
    for (const member of this.#members.values()) {
      longest = Math.max(longest, member.rebalanceTimeoutMs)
    }
    return longest
  }

  /** Whether every member supports one of the protocols. */
  supportsAny(names: readonly string[]): boolean {
    return names.some((name) => this.#spokenByAll(name))
  }

  /**
   * Returns the protocol of the next generation: each member votes for the first of its protocols
   * that all members support. Null without members or without a common protocol.
   */
  selectProtocol(): string | null {
    const votes = new Map<string, number>()
    for (const member of this.#members.values()) {
      const vote = member.protocols.find(({ name }) => this.#spokenByAll(name))
      if (vote) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1)
    }
    let selected: string | null = null
    for (const [name, count] of votes) {
      if (selected === null || count > votes.get(selected)!) selected = name
    }
    return selected
  }

  #spokenByAll(name: string): boolean {
    for (const member of this.#members.values()) {
      if (!member.protocols.some((protocol) => protocol.name === name)) return false
    }
    return true
  }
}

function memberBytes(member: GroupMember): number {
  return memberOverheadBytes + protocolBytes(member.protocols)
}

function protocolBytes(protocols: readonly MemberProtocol[]): number {
  return protocols.reduce((sum, { name, metadata }) => sum + name.length + metadata.length, 0)
}
