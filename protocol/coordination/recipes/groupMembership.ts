// Group membership: each member has an ephemeral node in the node of the group, with data about
// itself. Whoever observes the group hears of every change once, in the order of the log.
//
// A member that is gone from the group may still run: its session expired, it does not know yet. A
// member that is in the group may have failed: its session has not expired yet.

import type { Clock } from '../../runtime/time/clock.ts'
import type { Coordination, Session } from '../coordination.ts'
import type { Operation, TreeEvent } from '../tree/operation.ts'
import { joinPath, lastName, parentPath } from '../tree/paths.ts'
import { createInside, isOver, isRefusal, retryUntilKnown } from './retry.ts'

export interface MembershipOptions {
  readonly coordination: Coordination
  readonly clock: Clock
  /** Of this coordination. */
  readonly session: Session
  /** Node of the group; created with those above it if it does not exist. */
  readonly group: string
  /** Unique in the group: the name of the member's node. */
  readonly name: string
}

/** A member of a group, in the process that it is about. */
export class GroupMembership {
  /**
   * Joins the group. Waits while the log cannot be reached. Rejects with NODE_EXISTS while another
   * session has this name, as an earlier run of this process may for its session's timeout.
   */
  static async join(options: MembershipOptions, data: Uint8Array): Promise<GroupMembership> {
    const membership = new GroupMembership(options)
    await retryUntilKnown(options.clock, () => membership.#create(data))
    return membership
  }

  readonly #options: MembershipOptions
  readonly #path: string

  private constructor(options: MembershipOptions) {
    this.#options = options
    this.#path = joinPath(options.group, options.name)
  }

  /** Whether the group has this member, as far as this process knows for certain. */
  get isMember(): boolean {
    return this.#options.session.isCertain && this.#isOwn()
  }

  /** Replaces the data. Waits while the log cannot be reached; calls must not overlap. */
  async update(data: Uint8Array): Promise<void> {
    await this.#transact({ type: 'set', path: this.#path, data })
  }

  /** Leaves the group; no effect if the member has left, or its session has ended. */
  async leave(): Promise<void> {
    if (!this.#isOwn()) return
    try {
      await this.#transact({ type: 'delete', path: this.#path })
    } catch (error) {
      if (!isRefusal(error, 'NO_NODE') && !isOver(error)) throw error
    }
  }

  async #transact(operation: Operation): Promise<void> {
    const { session, clock } = this.#options
    await retryUntilKnown(clock, () => session.transact([operation]))
  }

  async #create(data: Uint8Array): Promise<void> {
    const { coordination, session, group } = this.#options
    try {
      await createInside(coordination, group, () =>
        session.transact([{ type: 'create', path: this.#path, data, isEphemeral: true }]),
      )
    } catch (error) {
      // Created by an earlier attempt, whose outcome was unknown.
      if (!isRefusal(error, 'NODE_EXISTS') || !this.#isOwn()) throw error
    }
  }

  #isOwn(): boolean {
    const { coordination, session } = this.#options
    return coordination.tree.exists(this.#path)?.ephemeralOwner === session.id
  }
}

export interface GroupChange {
  readonly type: 'joined' | 'updated' | 'left'
  readonly name: string
  /** Undefined when it left. */
  readonly data: Uint8Array | undefined
}

export interface GroupObserver {
  /** Data of the members by name. */
  readonly members: ReadonlyMap<string, Uint8Array>
  close(): void
}

/**
 * Observes a group, which need not exist yet. `members` has everyone who is a member now; each
 * change after that is reported to the listener, once and in order, when `members` has it. After a
 * gap that only a snapshot can close, the changes between both states are reported.
 */
export function observeGroup(
  coordination: Coordination,
  group: string,
  onChange: (change: GroupChange) => void,
): GroupObserver {
  const members = new Map<string, Uint8Array>()
  const { tree } = coordination
  for (const name of tree.children(group) ?? []) {
    members.set(name, tree.get(joinPath(group, name))!.data)
  }
  const onEvent = (event: TreeEvent) => {
    if (event.path === group || parentPath(event.path) !== group) return
    const change = changeOf(coordination, members, event)
    if (change === undefined) return
    if (change.data === undefined) members.delete(change.name)
    else members.set(change.name, change.data)
    onChange(change)
  }
  return { members, close: coordination.watch(group, 'recursive', { onEvent }) }
}

/** Undefined for what a later operation of the same transaction has undone. */
function changeOf(
  { tree }: Coordination,
  members: ReadonlyMap<string, Uint8Array>,
  { type, path }: TreeEvent,
): GroupChange | undefined {
  const name = lastName(path)
  if (type === 'deleted') {
    return members.has(name) ? { type: 'left', name, data: undefined } : undefined
  }
  const node = tree.get(path)
  return node && { type: members.has(name) ? 'updated' : 'joined', name, data: node.data }
}
