// The memory that the metadata of members takes, in all groups of this broker together, and its
// bound: any client can join any number of groups, with as much metadata as a request holds.
// Invariant: never negative.

import { assert } from '../../protocol/runtime/assert.ts'

export class MemberBudget {
  readonly maxBytes: number
  #takenBytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get takenBytes(): number {
    return this.#takenBytes
  }

  hasRoomFor(bytes: number): boolean {
    return bytes <= 0 || this.#takenBytes + bytes <= this.maxBytes
  }

  take(bytes: number): void {
    this.#takenBytes += bytes
  }

  giveBack(bytes: number): void {
    this.#takenBytes -= bytes
    assert(this.#takenBytes >= 0, 'members never give back more memory than they took')
  }
}
