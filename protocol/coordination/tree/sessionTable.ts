// The sessions by id, and the clock of the log that they expire by. The log has no clock of its
// own: each entry says how much time passed since the one before, as its member saw it, so every
// process finds the same sessions expired at the same entry.
//
// Any entry of a member renews all of its sessions, so when it was heard is kept once for each
// member. A session expires when the clock has passed its deadline: the time at which its member
// was last heard, and its timeout. `#leastDeadlineMs` is a lower bound of all deadlines, so an
// entry at which nothing expires, which is nearly every one, costs one comparison.

import { assert } from '../../runtime/assert.ts'

class Member {
  readonly id: string
  lastHeardMs: number
  sessionCount = 0

  constructor(id: string, lastHeardMs: number) {
    this.id = id
    this.lastHeardMs = lastHeardMs
  }
}

export interface SessionRecord {
  readonly id: string
  readonly member: string
  readonly name: string
  readonly timeoutMs: number
  /** Clock of the log at the last entry of the session's member. */
  readonly lastHeardMs: number
  readonly openedZxid: number
}

class OpenSession implements SessionRecord {
  readonly id: string
  readonly holder: Member
  readonly name: string
  readonly timeoutMs: number
  readonly openedZxid: number

  constructor(session: SessionRecord, holder: Member) {
    this.id = session.id
    this.holder = holder
    this.name = session.name
    this.timeoutMs = session.timeoutMs
    this.openedZxid = session.openedZxid
  }

  get member(): string {
    return this.holder.id
  }

  get lastHeardMs(): number {
    return this.holder.lastHeardMs
  }

  get deadlineMs(): number {
    return this.holder.lastHeardMs + this.timeoutMs
  }
}

export class SessionTable {
  /** In the order in which they were opened. */
  readonly #sessions = new Map<string, OpenSession>()
  /** Those with a session. */
  readonly #members = new Map<string, Member>()
  #leastDeadlineMs = Number.POSITIVE_INFINITY
  #clockMs: number

  constructor(clockMs: number) {
    this.#clockMs = clockMs
  }

  get clockMs(): number {
    return this.#clockMs
  }

  get sessions(): ReadonlyMap<string, SessionRecord> {
    return this.#sessions
  }

  /** Advances the clock and renews the sessions of the member whose entry does so. */
  advance(stepMs: number, member: string): void {
    this.#clockMs += stepMs
    const heard = this.#members.get(member)
    if (heard !== undefined) heard.lastHeardMs = this.#clockMs
  }

  /** Every member counts as heard at this moment of the log. */
  renewAll(): void {
    for (const member of this.#members.values()) member.lastHeardMs = this.#clockMs
  }

  /** Returns the sessions that have expired, in the order in which they were opened. */
  expired(): string[] {
    if (this.#clockMs <= this.#leastDeadlineMs) return []
    const expired: string[] = []
    let least = Number.POSITIVE_INFINITY
    for (const session of this.#sessions.values()) {
      const { deadlineMs } = session
      if (deadlineMs < this.#clockMs) expired.push(session.id)
      else least = Math.min(least, deadlineMs)
    }
    this.#leastDeadlineMs = least
    return expired
  }

  /** Adds a session; its member was heard at `lastHeardMs`, as with all its sessions. */
  open(session: SessionRecord): void {
    assert(!this.#sessions.has(session.id), 'a session is opened once')
    const member =
      this.#members.get(session.member) ?? new Member(session.member, session.lastHeardMs)
    assert(member.lastHeardMs === session.lastHeardMs, 'a member is heard for all its sessions')
    this.#members.set(member.id, member)
    member.sessionCount++
    const opened = new OpenSession(session, member)
    this.#sessions.set(opened.id, opened)
    this.#leastDeadlineMs = Math.min(this.#leastDeadlineMs, opened.deadlineMs)
  }

  /** Clock of the log when the member was last heard; undefined if it has no session. */
  lastHeardMs(member: string): number | undefined {
    return this.#members.get(member)?.lastHeardMs
  }

  end(id: string): void {
    const session = this.#sessions.get(id)
    assert(session !== undefined, 'a session that ends is open')
    this.#sessions.delete(id)
    session.holder.sessionCount--
    if (session.holder.sessionCount === 0) this.#members.delete(session.member)
  }
}
