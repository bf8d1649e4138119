// The memory budget for the metadata of members in all groups of this broker: any client can join
// any number of groups, with as much metadata as a request holds. Invariant: never negative.

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
    assert(this.#takenBytes >= 0, 'members never return more memory than they took')
  }
}
