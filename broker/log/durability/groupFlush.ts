// The queue of a group commit: which appends are written and synced together. While one group is
// being written the next one collects, so that the number of syncs follows the speed of the disk
// and not the number of appends. Sans-IO: the owner writes, one group at a time.
//
// Invariant, asserted: the pending bytes are the bytes added and neither flushed nor dropped; never
// negative.

import { assert } from '../../../protocol/runtime/assert.ts'

/** A queued append. */
export interface Flushable {
  readonly sizeBytes: number
  /**
   * Set if the append begins a new segment, and cannot share a write with the appends before it.
   */
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

  /** Bytes added and not yet flushed, including the group in flight. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Whether appends should be held. A single append is always accepted, however large. */
  get isFull(): boolean {
    return this.#pendingBytes >= this.#maxPendingBytes
  }

  add(item: Item): void {
    this.#waiting.push(item)
    this.#pendingBytes += item.sizeBytes
  }

  /** Removes and returns the next group, in order. Must be followed by `flushed` or `drain`. */
  take(): Item[] {
    assert(this.#flushingBytes === 0, 'one group is in flight at a time')
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

  /** The group taken last is stable. */
  flushed(): void {
    this.#pendingBytes -= this.#flushingBytes
    assert(this.#pendingBytes >= 0, 'the pending bytes of a log are not negative')
    this.#flushingBytes = 0
  }

  /** Removes and returns everything queued, after a failure. */
  drain(): Item[] {
    const dropped = this.#waiting
    this.#waiting = []
    this.#pendingBytes = 0
    this.#flushingBytes = 0
    return dropped
  }
}
