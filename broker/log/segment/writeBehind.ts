// Memory for bytes that the commit journal has made durable and that are not in their segments yet,
// so that many small appends become one write. Bounded for the whole process: who finds no room
// writes at once. It decides when who has to write, one at a time, because appends need the
// system's threads for files meanwhile. It writes nothing itself.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { Clock, Timer } from '../../../protocol/runtime/clock.ts'

/** Has bytes in blocks. */
export interface Stager {
  /**
   * Writes everything staged so far, and gives the blocks back. Never rejects: failures are the
   * stager's.
   */
  writeOut(): Promise<void>
}

export interface WriteBehindOptions {
  /** Of all blocks. */
  readonly maxBytes?: number
  readonly blockBytes?: number
  /**
   * What one stager has staged when it had better be written: few enough writes, and little to
   * keep.
   */
  readonly enoughBytes?: number
}

const defaults = { maxBytes: 16 * 1024 * 1024, blockBytes: 16 * 1024, enoughBytes: 256 * 1024 }
const slabBytes = 1024 * 1024
/**
 * So long bytes may be missing from the file for whoever looks at it from outside; twice that at
 * most.
 */
const stagedForMs = 500

export class WriteBehind {
  readonly blockBytes: number
  /** From here on bytes had better be written at once. */
  readonly enoughBytes: number
  readonly #clock: Clock
  readonly #maxBlocks: number
  readonly #free: Buffer[] = []
  #blockCount = 0
  /** Those with something staged, the ones that began first at the front. */
  readonly #stagers = new Set<Stager>()
  /** Those that had something staged when the timer was set. */
  #waiting: Set<Stager> = new Set()
  /** Those that are to write, and do not yet. */
  readonly #due = new Set<Stager>()
  #writing: Stager | undefined
  #timer: Timer | undefined

  constructor(clock: Clock, options: WriteBehindOptions = {}) {
    const { maxBytes, blockBytes, enoughBytes } = { ...defaults, ...options }
    this.#clock = clock
    this.blockBytes = blockBytes
    this.enoughBytes = enoughBytes
    this.#maxBlocks = Math.floor(maxBytes / blockBytes)
  }

  /** Bytes of the blocks that are in use. */
  get usedBytes(): number {
    return (this.#blockCount - this.#free.length) * this.blockBytes
  }

  /** So many blocks; undefined when there are too few. */
  take(count: number): Buffer[] | undefined {
    while (this.#free.length < count) {
      if (this.#blockCount >= this.#maxBlocks) return undefined
      this.#addSlab()
    }
    return this.#free.splice(this.#free.length - count, count)
  }

  giveBack(block: Buffer): void {
    assert(block.length === this.blockBytes, 'a returned block is whole')
    this.#free.push(block)
  }

  /** The stager has more than before. */
  staged(stager: Stager, stagedBytes: number): void {
    this.#stagers.add(stager)
    if (stagedBytes >= this.enoughBytes) this.#write(stager)
    // Half of it is for what comes while the other half is written.
    else if (this.usedBytes > (this.#maxBlocks * this.blockBytes) / 2) this.#writeOldest()
    this.#setTimer()
  }

  /** The stager has nothing left. */
  emptied(stager: Stager): void {
    this.#stagers.delete(stager)
    this.#waiting.delete(stager)
    this.#due.delete(stager)
    if (this.#stagers.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #addSlab(): void {
    const { blockBytes } = this
    const count = Math.min(Math.floor(slabBytes / blockBytes), this.#maxBlocks - this.#blockCount)
    const slab = Buffer.allocUnsafeSlow(count * blockBytes)
    for (let at = 0; at < slab.length; at += blockBytes) {
      this.#free.push(slab.subarray(at, at + blockBytes))
    }
    this.#blockCount += count
  }

  #writeOldest(): void {
    for (const stager of this.#stagers) {
      if (this.#due.has(stager) || this.#writing === stager) continue
      this.#write(stager)
      return
    }
  }

  #write(stager: Stager): void {
    this.#due.add(stager)
    this.#writeDue()
  }

  #writeDue(): void {
    const [stager] = this.#due
    if (this.#writing || !stager) return
    this.#due.delete(stager)
    this.#writing = stager
    void stager.writeOut().then(() => {
      this.#writing = undefined
      this.#writeDue()
    })
  }

  #setTimer(): void {
    this.#timer ??= this.#clock.setTimer(stagedForMs, () => {
      this.#timer = undefined
      for (const stager of this.#waiting) this.#write(stager)
      this.#waiting = new Set(this.#stagers)
      if (this.#stagers.size > 0) this.#setTimer()
    })
  }
}
