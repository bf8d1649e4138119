// The framing of one connection: received chunks in, whole request frames out, in order. Knows
// nothing of the contents of a frame, only which memory it lies in. Frames wait here until they are
// dispatched; a frame that was taken can be put back at the head.

import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { FrameSplitter } from '../../../protocol/kafka/frame.ts'
import type { ReadBuffers } from '../memory/readBuffers.ts'

/**
 * Memory that a frame costs in addition to its bytes, so that a flood of tiny frames is bounded.
 */
const frameOverheadBytes = 1024

/** Returns the memory cost of a frame, in bytes. */
export function costOf(frame: Buffer): number {
  return frame.length + frameOverheadBytes
}

/** Whether a frame is a Produce request. */
export function isProduce(frame: Buffer): boolean {
  return frame.length >= 2 && frame.readInt16BE(0) === produce.key
}

export class FrameQueue {
  readonly #readBuffers: ReadBuffers
  readonly #splitter: FrameSplitter
  readonly #frames: Buffer[] = []
  /** The time at which the last byte of each frame was received. */
  readonly #arrivals: number[] = []
  /** The blocks of frames that were assembled from several chunks. */
  readonly #blocks = new Map<ArrayBufferLike, Buffer>()

  constructor(maxFrameBytes: number, readBuffers: ReadBuffers) {
    this.#readBuffers = readBuffers
    this.#splitter = new FrameSplitter(maxFrameBytes, (bytes) => this.#takeBlock(bytes))
  }

  get length(): number {
    return this.#frames.length
  }

  /** Memory of the incomplete frame, in bytes. */
  get heldBytes(): number {
    return this.#splitter.heldBytes
  }

  get hasIncompleteFrame(): boolean {
    return this.#splitter.pendingBytes > 0
  }

  /** Adds a chunk. Returns the cost of the frames that it completes. Throws a MalformedError. */
  push(chunk: Buffer, nowMs: number): number {
    let bytes = 0
    for (const frame of this.#splitter.push(chunk)) {
      this.#frames.push(frame)
      this.#arrivals.push(nowMs)
      bytes += costOf(frame)
    }
    return bytes
  }

  /** The frame at the head of the queue. */
  get head(): Buffer | undefined {
    return this.#frames[0]
  }

  /** The time at which the last byte of the frame at the head was received. */
  get headArrivedMs(): number {
    return this.#arrivals[0]!
  }

  shift(): void {
    this.#frames.shift()
    this.#arrivals.shift()
  }

  unshift(frame: Buffer, arrivedMs: number): void {
    this.#frames.unshift(frame)
    this.#arrivals.unshift(arrivedMs)
  }

  /**
   * Returns the block of the frame, if it can be reused once the request is answered. Only for
   * Produce: other requests may leave references to their bytes, such as the metadata of a member.
   */
  blockOf(frame: Buffer): Buffer | undefined {
    const block = this.#blocks.get(frame.buffer)
    this.#blocks.delete(frame.buffer)
    return isProduce(frame) ? block : undefined
  }

  /**
   * Drops everything. Returns the cost of the complete frames. Nothing may be pushed afterwards.
   */
  clear(): number {
    let bytes = 0
    for (const frame of this.#frames.splice(0)) bytes += costOf(frame)
    this.#arrivals.length = 0
    this.#splitter.clear()
    this.#blocks.clear()
    return bytes
  }

  #takeBlock(bytes: number): Buffer {
    const block = this.#readBuffers.take(bytes)
    this.#blocks.set(block.buffer, block)
    return block.subarray(0, bytes)
  }
}
