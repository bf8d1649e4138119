// One restart, of one actor or of all siblings: every incarnation ends first, then comes the pause,
// then the new ones start in the order of spawning. Nobody starts while another of them still ends,
// since siblings restarted together are those that must not meet each other's past.

import type { Clock, Timer } from '../runtime/clock.ts'

export interface RoundMember {
  /** Starts a new incarnation. */
  release(): void
}

export class RestartRound {
  readonly #clock: Clock
  /** In the order of spawning. */
  readonly #members: Set<RoundMember>
  readonly #ending: Set<RoundMember>
  #delayMs: number
  #pause: Timer | undefined

  constructor(clock: Clock, members: readonly RoundMember[], delayMs: number) {
    this.#clock = clock
    this.#members = new Set(members)
    this.#ending = new Set(members)
    this.#delayMs = delayMs
  }

  /** One more failure of a member that is still ending. */
  postpone(delayMs: number): void {
    this.#delayMs = Math.max(this.#delayMs, delayMs)
  }

  /** The member's old incarnation is gone. */
  ended(member: RoundMember): void {
    this.#ending.delete(member)
    this.#pauseWhenAllEnded()
  }

  /** The member has stopped for good or joined another round. */
  leave(member: RoundMember): void {
    this.#members.delete(member)
    this.#ending.delete(member)
    if (this.#members.size === 0) this.#pause?.cancel()
    else this.#pauseWhenAllEnded()
  }

  #pauseWhenAllEnded(): void {
    if (this.#ending.size > 0 || this.#pause) return
    this.#pause = this.#clock.setTimer(this.#delayMs, () => {
      for (const member of this.#members) member.release()
    })
  }
}
