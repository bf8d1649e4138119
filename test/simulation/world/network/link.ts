// One direction between two hosts: how long bytes take, and whether they arrive at all. A cut or
// clogged direction keeps bytes of streams until it opens again; datagrams are lost.

import type { Random } from '../../../../protocol/runtime/random.ts'
import { drawLatency, type Latency } from '../latency.ts'

export interface LinkOptions {
  readonly latency: Latency
  /** Chance that a segment has to be sent again, which delays everything behind it: 0 to 1. */
  readonly lossChance: number
  /** Delay of a segment that is sent again, in ms. */
  readonly retransmitMs: number
  /** Chance that a segment breaks its connection: 0 to 1. */
  readonly resetChance: number
  /** Chances of datagrams: 0 to 1. */
  readonly datagramLossChance: number
  readonly duplicateChance: number
  /** Bytes that a link takes in one ms. */
  readonly bytesPerMs: number
}

export class Link {
  readonly from: string
  readonly to: string
  options: LinkOptions
  readonly #random: Random
  /** Reasons for which nothing arrives. */
  readonly #blocks = new Set<string>()
  readonly #waiting = new Set<() => void>()

  constructor(from: string, to: string, options: LinkOptions, random: Random) {
    this.from = from
    this.to = to
    this.options = options
    this.#random = random
  }

  get isOpen(): boolean {
    return this.#blocks.size === 0
  }

  /** Stops deliveries for a reason of its own, until `open` is called with the same one. */
  block(reason: string): void {
    this.#blocks.add(reason)
  }

  open(reason: string): void {
    if (!this.#blocks.delete(reason) || !this.isOpen) return
    this.#wake()
  }

  openAll(): void {
    if (this.isOpen) return
    this.#blocks.clear()
    this.#wake()
  }

  /** Calls back once, when the link opens. Returns a function that ends the wait. */
  whenOpen(callback: () => void): () => void {
    this.#waiting.add(callback)
    return () => void this.#waiting.delete(callback)
  }

  delayMs(bytes: number): number {
    const { latency, lossChance, retransmitMs, bytesPerMs } = this.options
    const usualMs = drawLatency(latency, this.#random) + bytes / bytesPerMs
    return this.#happens(lossChance) ? usualMs + retransmitMs : usualMs
  }

  /** Delay of a stream after the link has opened: the sender tries again after a while. */
  retryMs(): number {
    return this.options.retransmitMs * this.#random.float()
  }

  breaksNow(): boolean {
    return this.#happens(this.options.resetChance)
  }

  /** Delays of the copies of one datagram that arrive. */
  datagramDelaysMs(bytes: number): number[] {
    const { latency, datagramLossChance, duplicateChance, bytesPerMs } = this.options
    if (!this.isOpen || this.#happens(datagramLossChance)) return []
    const copies = this.#happens(duplicateChance) ? 2 : 1
    return Array.from(
      { length: copies },
      () => drawLatency(latency, this.#random) + bytes / bytesPerMs,
    )
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.#random.float() < chance
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const callback of waiting) callback()
  }
}
