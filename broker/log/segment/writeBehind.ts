// Memory for bytes that the commit journal has made durable and that are not in their segment files
// yet, so that many small appends become one write. Bounded for the process: a stager without
// memory writes immediately. Decides which stager writes when, one at a time, to leave threads of
// the file system pool to appends. Does no I/O itself.

import { assert } from '../../../protocol/runtime/assert.ts'
import { noRarePoints, type RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'

/** Holds staged bytes in blocks. */
export interface Stager {
  /**
   * Writes all bytes staged so far and returns the blocks. Never rejects: the stager handles
   * failures.
   */
  writeOut(): Promise<void>
}

export interface WriteBehindOptions {
  /** Bytes of all blocks. */
  readonly maxBytes?: number
  readonly blockBytes?: number
  /**
   * Staged bytes of one stager at which they are written: large enough for few writes, small enough
   * to keep little in memory.
   */
  readonly enoughBytes?: number
  readonly rarePoints?: RarePoints | undefined
}

const defaults = { maxBytes: 16 * 1024 * 1024, blockBytes: 16 * 1024, enoughBytes: 256 * 1024 }
const slabBytes = 1024 * 1024
/** Staged bytes are written after this time, twice that at most; until then the file lacks them. */
const stagedForMs = 500

export class WriteBehind {
  readonly blockBytes: number
  /** Appends of at least this size are written immediately. */
  readonly enoughBytes: number
  readonly #clock: Clock
  readonly #rarePoints: RarePoints
  readonly #maxBlocks: number
  readonly #free: Buffer[] = []
  #blockCount = 0
  /** Stagers with staged bytes, the oldest first. */
  readonly #stagers = new Set<Stager>()
  /** Stagers that had staged bytes when the timer was started. */
  #waiting: Set<Stager> = new Set()
  /** Stagers whose write is due and has not started. */
  readonly #due = new Set<Stager>()
  #writing: Stager | undefined
  #timer: Timer | undefined

  constructor(clock: Clock, options: WriteBehindOptions = {}) {
    const { maxBytes, blockBytes, enoughBytes } = { ...defaults, ...options }
    this.#clock = clock
    this.#rarePoints = options.rarePoints ?? noRarePoints
    this.blockBytes = blockBytes
    this.enoughBytes = enoughBytes
    this.#maxBlocks = Math.floor(maxBytes / blockBytes)
  }

  /** Bytes of the blocks in use. */
  get usedBytes(): number {
    return (this.#blockCount - this.#free.length) * this.blockBytes
  }

  /** Takes `count` blocks; undefined if there are too few. */
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

  /** The stager has staged more bytes. */
  staged(stager: Stager, stagedBytes: number): void {
    this.#stagers.add(stager)
    const isEnough = stagedBytes >= this.enoughBytes
    if (isEnough || this.#rarePoints.isForced('staged bytes written')) this.#write(stager)
    // The other half is for bytes that are staged during the write.
    else if (this.usedBytes > (this.#maxBlocks * this.blockBytes) / 2) this.#writeOldest()
    this.#setTimer()
  }

  /** The stager has no staged bytes left. */
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
