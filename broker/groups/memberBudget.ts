// How much memory the members of all groups take together, and how much they may: any client can
// join any number of groups, and say as much of itself as a request holds.

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
  }
}
