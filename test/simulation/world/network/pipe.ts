// One direction of a simulated connection: bytes that the writer has queued, segments in flight,
// and bytes that the reader has not taken yet. As TCP, it loses nothing from the middle, delivers
// in order, cuts what was written into other pieces, and holds the writer back when the reader
// stops.
//
// The kernel copies bytes when it takes them, and `taken` is called afterwards: a writer that
// changes them earlier sends something else.

import { WriteReceipts } from '../../../../protocol/runtime/network/writeReceipts.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import type { World } from '../world.ts'
import type { Link } from './link.ts'

export interface PipeOptions {
  /** Bytes that the kernels of both sides hold. */
  readonly kernelBytes: number
  /** Largest segment; each has a drawn size up to that. */
  readonly segmentBytes: number
  /** How long a sender repeats what nobody confirms, in ms. */
  readonly giveUpMs: number
}

interface Segment {
  readonly bytes: Buffer | undefined
  /** What stands at the end of a stream: an orderly end, or a reset. */
  readonly mark: 'none' | 'end' | 'reset'
  readonly arrivesMs: number
}

/** What a pipe does to the sides of its connection. */
export interface PipeEnds {
  /** The reader has something to take. */
  arrived(): void
  /** The writer's queue has become shorter. */
  drained(): void
  /** Runs what a `taken` callback does, in the process of the writer. */
  soon(callback: () => void): void
  /** The writer gives up: nobody confirms its bytes. */
  gaveUp(): void
  /** The connection breaks while a segment is on its way. */
  broke(): void
  /** The writer is gone without a word. */
  vanished(): void
}

export class Pipe {
  readonly #world: World
  readonly #link: Link
  readonly #options: PipeOptions
  readonly #random: Random
  readonly #ends: PipeEnds
  readonly #name: string
  /** Given to `write`, not taken by the kernel. */
  readonly #queue: Uint8Array[] = []
  #queueBytes = 0
  /** Taken by the kernel, not by the reader. */
  #kernelBytes = 0
  #inFlight: Segment[] = []
  readonly #received: Buffer[] = []
  readonly #receipts = new WriteReceipts()
  #endsAfterQueue = false
  #isShut = false
  #isArriving = false
  #lastArrivalMs = 0
  #stopWaiting: (() => void) | undefined
  /** What the reader finds after the received bytes. */
  end: 'none' | 'end' | 'reset' = 'none'

  constructor(
    world: World,
    link: Link,
    name: string,
    options: PipeOptions,
    random: Random,
    ends: PipeEnds,
  ) {
    this.#world = world
    this.#link = link
    this.#name = name
    this.#options = options
    this.#random = random
    this.#ends = ends
  }

  get queueBytes(): number {
    return this.#queueBytes
  }

  get hasReceived(): boolean {
    return this.#received.length > 0
  }

  write(chunks: readonly Uint8Array[], taken: (() => void) | undefined): void {
    let bytes = 0
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      this.#queue.push(chunk)
      bytes += chunk.length
    }
    this.#queueBytes += bytes
    this.#receipts.wrote(bytes, taken && (() => this.#ends.soon(taken)))
    if (bytes === 0) this.#receipts.took(0)
    else this.#pump()
  }

  /** An orderly end after what is queued. */
  endAfterQueue(): void {
    this.#endsAfterQueue = true
    this.#pump()
  }

  /**
   * The writer has closed or died. What its kernel has sent may still arrive, and then a reset;
   * nothing of what is queued does.
   */
  reset(): void {
    if (this.#isShut) return
    this.dropQueue()
    if (this.#inFlight.some(({ mark }) => mark !== 'none')) return
    const kept = this.#random.below(this.#inFlight.length + 1)
    this.#inFlight = this.#inFlight.slice(0, kept)
    this.#send(undefined, 'reset', 0)
  }

  /** The writer has vanished with its host: what is on its way may arrive, and nothing after it. */
  vanish(): void {
    this.dropQueue()
    this.#isShut = true
    this.#inFlight = this.#inFlight.slice(0, this.#random.below(this.#inFlight.length + 1))
    this.#ends.vanished()
  }

  /** The reader takes nothing any more. */
  shut(): void {
    this.#isShut = true
    this.#inFlight = []
    this.#received.length = 0
    this.#stopWaiting?.()
    this.dropQueue()
  }

  dropQueue(): void {
    this.#queue.length = 0
    this.#queueBytes = 0
    this.#receipts.dropped()
  }

  /** The next received bytes; the kernel has room for more then. */
  take(): Buffer | undefined {
    const next = this.#received.shift()
    if (next === undefined) return undefined
    this.#kernelBytes -= next.length
    if (this.#queue.length > 0) this.#pump()
    return next
  }

  #pump(): void {
    if (this.#isShut) {
      this.dropQueue()
      return
    }
    let took = 0
    while (this.#queue.length > 0 && this.#kernelBytes < this.#options.kernelBytes) {
      const segment = this.#cutSegment()
      took += segment.length
      this.#send(segment, 'none', segment.length)
    }
    if (took > 0) {
      this.#receipts.took(took)
      this.#ends.drained()
    }
    if (this.#endsAfterQueue && this.#queue.length === 0) {
      this.#endsAfterQueue = false
      this.#send(undefined, 'end', 0)
    }
  }

  /** Copies a drawn number of bytes off the front of the queue. */
  #cutSegment(): Buffer {
    const { kernelBytes, segmentBytes } = this.#options
    const room = Math.min(kernelBytes - this.#kernelBytes, segmentBytes, this.#queueBytes)
    // Mostly whole, as the kernel sends it; sometimes cut anywhere.
    const length = this.#random.below(4) > 0 ? room : 1 + this.#random.below(room)
    const segment = Buffer.allocUnsafe(length)
    for (let at = 0; at < length; ) {
      const first = this.#queue[0]!
      const count = Math.min(first.length, length - at)
      segment.set(count === first.length ? first : first.subarray(0, count), at)
      at += count
      if (count === first.length) this.#queue.shift()
      else this.#queue[0] = first.subarray(count)
    }
    this.#queueBytes -= length
    this.#kernelBytes += length
    return segment
  }

  #send(bytes: Buffer | undefined, mark: Segment['mark'], length: number): void {
    const arrivesMs = Math.max(this.#lastArrivalMs, this.#world.nowMs + this.#link.delayMs(length))
    this.#lastArrivalMs = arrivesMs
    this.#inFlight.push({ bytes, mark, arrivesMs })
    this.#expectArrival()
  }

  #expectArrival(): void {
    const next = this.#inFlight[0]
    if (this.#isArriving || next === undefined) return
    this.#isArriving = true
    this.#world.schedule(next.arrivesMs - this.#world.nowMs, this.#world, 'net', this.#name, () =>
      this.#arrive(),
    )
  }

  #arrive(): void {
    this.#isArriving = false
    if (this.#inFlight.length === 0) return
    if (!this.#link.isOpen) this.#waitForLink()
    else if (this.#link.breaksNow()) this.#ends.broke()
    else this.#receive()
  }

  #receive(): void {
    const arrived: Buffer[] = []
    while (this.#inFlight.length > 0 && this.#inFlight[0]!.arrivesMs <= this.#world.nowMs) {
      const { bytes, mark } = this.#inFlight.shift()!
      if (bytes) arrived.push(bytes)
      if (mark !== 'none') this.end = mark
    }
    if (arrived.length > 0) this.#received.push(...this.#merged(arrived))
    this.#expectArrival()
    this.#ends.arrived()
  }

  /** What arrives together is read together, mostly. */
  #merged(arrived: Buffer[]): Buffer[] {
    if (arrived.length === 1 || this.#random.below(4) === 0) return arrived
    return [Buffer.concat(arrived)]
  }

  #waitForLink(): void {
    if (this.#stopWaiting) return
    const giveUp = this.#world.schedule(
      this.#options.giveUpMs,
      this.#world,
      'net',
      `${this.#name} gives up`,
      () => {
        this.#stopWaiting?.()
        this.#ends.gaveUp()
      },
    )
    const stopWaiting = this.#link.whenOpen(() => {
      this.#stopWaiting?.()
      this.#isArriving = true
      this.#world.schedule(this.#link.retryMs(), this.#world, 'net', this.#name, () =>
        this.#arrive(),
      )
    })
    this.#stopWaiting = () => {
      giveUp.cancel()
      stopWaiting()
      this.#stopWaiting = undefined
    }
  }
}
