// The share of one consumer group in the memory for the metadata of all members of this broker.

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

  /** From now on the group takes this much. */
  set(bytes: number): void {
    this.#budget.giveBack(this.#takenBytes)
    this.#takenBytes = bytes
    this.#budget.take(bytes)
  }
}
