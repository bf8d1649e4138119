// A writer for messages with record batches: large raw bytes are referenced, so that a batch goes
// from the log to the socket without a copy. Returns a list of chunks for writev. Contract:
// referenced bytes must not change until they are sent.

import { asBuffer } from '../bytes/reader.ts'
import { ByteWriter } from '../bytes/writer.ts'

/** Smaller pieces are copied: that costs less than another vector in the system call. */
const referenceFromBytes = 1024
/**
 * Up to this size the memory is reused for the next message, and the written bytes are copied out.
 */
const keptCapacityBytes = 64 * 1024

interface Reference {
  /** Number of bytes written before the reference. */
  readonly at: number
  readonly bytes: Buffer
}

export class ChunkWriter extends ByteWriter {
  #references: Reference[] = []
  #referredBytes = 0

  /** Size of the whole message, including referenced bytes. */
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

  /** Hands over the chunks of the message in order, and resets the writer. */
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
