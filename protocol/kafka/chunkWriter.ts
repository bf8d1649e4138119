// A writer for messages that carry record batches: what is written raw and is large is kept by
// reference, so that a batch goes from the log to the socket without being copied. What it returns
// is a list of chunks for writev. The bytes referred to must not change until they are sent.

import { asBuffer } from '../bytes/reader.ts'
import { ByteWriter } from '../bytes/writer.ts'

/** Below this a copy costs less than one more vector in the system call. */
const referenceFromBytes = 1024
/** Up to this the memory is kept for the next message, and what was written is copied out. */
const keptCapacityBytes = 64 * 1024

interface Reference {
  /** How much had been written when it came. */
  readonly at: number
  readonly bytes: Buffer
}

export class ChunkWriter extends ByteWriter {
  #references: Reference[] = []
  #referredBytes = 0

  /** Bytes of the whole message, those referred to included. */
  get totalBytes(): number {
    return this.length + this.#referredBytes
  }

  override raw(bytes: Uint8Array): void {
    if (bytes.length < referenceFromBytes) {
      super.raw(bytes)
      return
    }
    this.#references.push({ at: this.length, bytes: asBuffer(bytes) })
    this.#referredBytes += bytes.length
  }

  override reset(): void {
    super.reset()
    this.#references = []
    this.#referredBytes = 0
  }

  /** Hands over the message in order, and starts afresh. */
  takeChunks(): Buffer[] {
    const references = this.#references
    const written = this.length <= keptCapacityBytes ? Buffer.from(this.written()) : this.take()
    this.reset()
    return references.length === 0 ? [written] : interleave(written, references)
  }
}

function interleave(written: Buffer, references: readonly Reference[]): Buffer[] {
  const chunks: Buffer[] = []
  let from = 0
  for (const { at, bytes } of references) {
    if (at > from) chunks.push(written.subarray(from, at))
    chunks.push(bytes)
    from = at
  }
  if (from < written.length) chunks.push(written.subarray(from))
  return chunks
}
