// The envelope of everything in a file channel's log: checksum, lengths, head, body. A head is what
// a record says; a body is the bytes of a batch, written straight from the buffer in which they
// were read. What does not check out ends the log: it is a write that a crash tore.
//
//   crc u32 (of all up to the body) | head bytes u32 | body bytes u32 | head | body

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { ByteWriter } from '../../../protocol/bytes/writer.ts'

export const framePrefixBytes = 12

/** No record is larger: a length beyond it is garbage and nothing is allocated for it. */
export const maxFrameBytes = 1024 * 1024 * 1024

export interface FramePrefix {
  readonly crc: number
  readonly headBytes: number
  readonly bodyBytes: number
}

/** Starts a frame in `writer`; the head is written next, then `endFrame`. Returns where it starts. */
export function beginFrame(writer: ByteWriter): number {
  const at = writer.length
  writer.reserve(framePrefixBytes)
  writer.length += framePrefixBytes
  return at
}

export function endFrame(writer: ByteWriter, at: number, bodyBytes: number): void {
  const bytes = writer.reserve(0)
  bytes.writeUInt32BE(writer.length - at - framePrefixBytes, at + 4)
  bytes.writeUInt32BE(bodyBytes, at + 8)
  bytes.writeUInt32BE(crc32c(bytes, at + 4, writer.length), at)
}

/** Undefined when the lengths cannot be those of a frame. */
export function readFramePrefix(bytes: Buffer, at: number): FramePrefix | undefined {
  const headBytes = bytes.readUInt32BE(at + 4)
  const bodyBytes = bytes.readUInt32BE(at + 8)
  if (headBytes === 0 || headBytes + bodyBytes > maxFrameBytes) return undefined
  return { crc: bytes.readUInt32BE(at), headBytes, bodyBytes }
}

/** Whether prefix and head, which start at `at`, are as they were written. */
export function isHeadValid(bytes: Buffer, at: number, prefix: FramePrefix): boolean {
  return crc32c(bytes, at + 4, at + framePrefixBytes + prefix.headBytes) === prefix.crc
}
