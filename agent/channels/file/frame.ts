// The frame of every record in a file channel's log: checksum, lengths, head, body. The head is the
// record; the body is the bytes of a batch, written from the buffer into which they were read. The first
// invalid frame ends the log: it is a write torn by a crash.
//
//   crc u32 (of all up to the body) | head bytes u32 | body bytes u32 | head | body

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { ByteWriter } from '../../../protocol/bytes/writer.ts'

export const framePrefixBytes = 12

/** Largest record: a larger length is garbage, for which nothing is allocated. */
const maxFrameBytes = 1024 * 1024 * 1024

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
