// Which appends go to the disk together. While one group is written and synced the next one
// collects, so the number of syncs follows the speed of the disk and not the number of appends. A
// state machine: it holds the queue, and its owner does the I/O, one group at a time.

/** One append, waiting. */
export interface Flushable {
  readonly sizeBytes: number
  /** When given, it must not be in one write with what is before it: it begins a new segment. */
  readonly roll: object | undefined
}

/** One writev takes no more buffers than this (IOV_MAX), and one group no more bytes. */
const maxGroupItems = 1024
const maxGroupBytes = 4 * 1024 * 1024

export class GroupFlush<Item extends Flushable> {
  readonly #maxPendingBytes: number
  #waiting: Item[] = []
  #pendingBytes = 0
  #flushingBytes = 0

  constructor(maxPendingBytes: number) {
    this.#maxPendingBytes = maxPendingBytes
  }

  /** Accepted and not yet flushed, the group under way included. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Whether appends should be held back. A single one is always let in, however large. */
  get isFull(): boolean {
    return this.#pendingBytes >= this.#maxPendingBytes
  }

  add(item: Item): void {
    this.#waiting.push(item)
    this.#pendingBytes += item.sizeBytes
  }

  /** The next group, in order; to be followed by `flushed`. */
  take(): Item[] {
    let count = 0
    let bytes = 0
    for (const item of this.#waiting) {
      if (count > 0 && (item.roll || bytes + item.sizeBytes > maxGroupBytes)) break
      if (count === maxGroupItems) break
      bytes += item.sizeBytes
      count++
    }
    this.#flushingBytes = bytes
    return this.#waiting.splice(0, count)
  }

  /** The group taken last is on the disk. */
  flushed(): void {
    this.#pendingBytes -= this.#flushingBytes
    this.#flushingBytes = 0
  }

  /** Gives up everything that waits, after a failure. */
  drain(): Item[] {
    const dropped = this.#waiting
    this.#waiting = []
    this.#pendingBytes = 0
    this.#flushingBytes = 0
    return dropped
  }
}
