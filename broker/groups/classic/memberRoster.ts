// The members of one classic group: members, promised member ids, static instances, the leader, and
// the protocols that all support. Accounts for their memory. Holds no state of the rebalance.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { JoinRequest, MemberIdentity, MemberProtocol } from '../groupRequests.ts'
import type { MemberBudget } from '../memberBudget.ts'
import { type GroupMember, updateMember } from './groupMember.ts'

/** Memory of a member, or of a promised member id, without its metadata. */
const memberOverheadBytes = 512

export class MemberRoster {
  readonly #members = new Map<string, GroupMember>()
  readonly #instances = new Map<string, string>()
  /** Member ids given out with MEMBER_ID_REQUIRED, with the time at which the promise expires. */
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

  /** In the order of joining. */
  all(): Iterable<GroupMember> {
    return this.#members.values()
  }

  get(memberId: string): GroupMember | undefined {
    return this.#members.get(memberId)
  }

  /** The member behind a static instance. */
  byInstance(groupInstanceId: string): GroupMember | undefined {
    const memberId = this.#instances.get(groupInstanceId)
    return memberId === undefined ? undefined : this.#members.get(memberId)
  }

  /** Whether the member id, and the instance behind it, are this group's. */
  identify({ memberId, groupInstanceId }: MemberIdentity): number {
    if (groupInstanceId !== null) {
      const member = this.byInstance(groupInstanceId)
      if (!member) return ErrorCode.unknownMemberId
      return member.memberId === memberId ? ErrorCode.none : ErrorCode.fencedInstanceId
    }
    return this.#members.has(memberId) ? ErrorCode.none : ErrorCode.unknownMemberId
  }

  /** Whether the budget has room for the metadata of a member that joins (again). */
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

  /** Returns whether the member id was promised. */
  withdraw(memberId: string): boolean {
    const wasPromised = this.#promised.delete(memberId)
    if (wasPromised) this.#budget.giveBack(memberOverheadBytes)
    return wasPromised
  }

  add(member: GroupMember): void {
    assert(!this.#members.has(member.memberId), `${member.memberId} is a member already`)
    this.withdraw(member.memberId)
    this.#budget.take(memberBytes(member))
    this.#members.set(member.memberId, member)
    if (member.groupInstanceId !== null) {
      this.#instances.set(member.groupInstanceId, member.memberId)
    }
    this.leader ??= member.memberId
  }

  remove(member: GroupMember): void {
    assert(this.#members.delete(member.memberId), `${member.memberId} is no member`)
    this.#budget.giveBack(memberBytes(member))
    if (member.groupInstanceId !== null) this.#instances.delete(member.groupInstanceId)
    if (this.leader !== member.memberId) return
    this.leader = this.#members.keys().next().value ?? null
  }

  clear(): void {
    for (const memberId of [...this.#promised.keys()]) this.withdraw(memberId)
    for (const member of [...this.#members.values()]) this.remove(member)
  }

  /** Takes over the metadata of a member that joins again. */
  update(member: GroupMember, request: JoinRequest): void {
    this.#budget.giveBack(memberBytes(member))
    updateMember(member, request)
    this.#budget.take(memberBytes(member))
  }

  /** A static instance that came back under a new member id takes the old one's place. */
  replace(old: GroupMember, next: GroupMember): void {
    const wasLeader = this.leader === old.memberId
    this.remove(old)
    this.add(next)
    if (wasLeader) this.leader = next.memberId
  }

  /**
   * Makes sure that a member that has joined leads. Returns false when none has: nobody could
   * assign.
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

  /** Every member has joined, and no promised member id is outstanding. */
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
   * The protocol for the next generation: each member votes for the first of its own that all
   * members support. Null without members or without a common protocol.
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
