// Bytes at the end of one segment that are not in its file yet, in blocks of a WriteBehind. Knows
// positions in the file, but not the content. Bytes are copied in, because their buffers are
// reused.

import { assert } from '../../../protocol/runtime/assert.ts'
import { totalBytes } from '../../../protocol/runtime/totalBytes.ts'
import type { Stager, WriteBehind } from './writeBehind.ts'

export class StagedBytes {
  readonly #writeBehind: WriteBehind
  readonly #stager: Stager
  readonly #blockBytes: number
  #blocks: Buffer[] = []
  /** Position in the file of the first byte of the first block. */
  #origin = 0
  #start = 0
  #end = 0

  constructor(writeBehind: WriteBehind, stager: Stager) {
    this.#writeBehind = writeBehind
    this.#stager = stager
    this.#blockBytes = writeBehind.blockBytes
  }

  get isEmpty(): boolean {
    return this.#start === this.#end
  }

  /** Position in the file of the first staged byte. */
  get start(): number {
    return this.#start
  }

  /** Position in the file after the last staged byte. */
  get end(): number {
    return this.#end
  }

  /** Adds bytes at `position`, after those staged before; returns false without memory for them. */
  add(chunks: readonly Buffer[], position: number): boolean {
    assert(this.isEmpty || position === this.#end, 'staged bytes are contiguous')
    const origin = this.isEmpty ? position : this.#origin
    const end = position + totalBytes(chunks)
    const wanted = Math.ceil((end - origin) / this.#blockBytes) - this.#blocks.length
    const blocks = this.#writeBehind.take(wanted)
    if (blocks === undefined) return false
    if (this.isEmpty) {
      this.#origin = origin
      this.#start = origin
    }
    this.#blocks.push(...blocks)
    let at = position - origin
    for (const chunk of chunks) at = this.#fill(chunk, at)
    this.#end = end
    this.#writeBehind.staged(this.#stager, end - this.#start)
    return true
  }

  /** The bytes below `end`, to be written at `start`. Unchanged until `written`. */
  toWrite(end: number): Buffer[] {
    return [...this.#from(this.#start, Math.min(end, this.#end))]
  }

  /** The bytes below `end` are in the file. */
  written(end: number): void {
    if (end <= this.#start) return
    this.#start = Math.min(end, this.#end)
    const isOver = this.isEmpty
    const over = isOver
      ? this.#blocks.length
      : Math.floor((this.#start - this.#origin) / this.#blockBytes)
    this.#origin += over * this.#blockBytes
    for (const block of this.#blocks.splice(0, over)) this.#writeBehind.giveBack(block)
    if (isOver) this.#writeBehind.emptied(this.#stager)
  }

  /** Drops all bytes. */
  forget(): void {
    this.written(this.#end)
  }

  /**
   * Copies bytes from `position` on, which must be staged, as many as exist and fit into `into`.
   */
  copy(into: Buffer, position: number): number {
    assert(position >= this.#start, 'only staged bytes are copied')
    let filled = 0
    for (const chunk of this.#from(position, Math.min(this.#end, position + into.length))) {
      filled += chunk.copy(into, filled)
    }
    return filled
  }

  *#from(position: number, end: number): Generator<Buffer, void> {
    for (let at = position - this.#origin; at < end - this.#origin; ) {
      const blockStart = Math.floor(at / this.#blockBytes) * this.#blockBytes
      const blockEnd = Math.min(blockStart + this.#blockBytes, end - this.#origin)
      yield this.#blocks[blockStart / this.#blockBytes]!.subarray(
        at - blockStart,
        blockEnd - blockStart,
      )
      at = blockEnd
    }
  }

  #fill(chunk: Buffer, at: number): number {
    for (let from = 0; from < chunk.length; ) {
      const inBlock = at % this.#blockBytes
      const copied = chunk.copy(this.#blocks[Math.floor(at / this.#blockBytes)]!, inBlock, from)
      from += copied
      at += copied
    }
    return at
  }
}
