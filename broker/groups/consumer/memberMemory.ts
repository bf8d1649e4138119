// The share of one consumer group in the broker's memory budget for the metadata of members.

import type { MemberBudget } from '../memberBudget.ts'

export class MemberMemory {
  readonly #budget: MemberBudget
  #takenBytes = 0

  constructor(budget: MemberBudget) {
    this.#budget = budget
  }

  hasRoomFor(bytes: number): boolean {
    return this.#budget.hasRoomFor(bytes)
  }

  /** Sets the group's share to `bytes`. */
  set(bytes: number): void {
    this.#budget.giveBack(this.#takenBytes)
    this.#takenBytes = bytes
    this.#budget.take(bytes)
  }
}
