// The frame of a record in a file channel's log: checksum, lengths, head, body. The head is the
// record; the body is the bytes of a batch, written from the buffer into which the source read
// them. The first invalid frame ends the log: it is a write torn by a crash.
//
//   crc u32 (from here up to the body) | head bytes u32 | body bytes u32 | head | body

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { ByteWriter } from '../../../protocol/bytes/writer.ts'

export const framePrefixBytes = 12

/** Maximum size of a record: a larger length is garbage, and nothing is allocated for it. */
const maxFrameBytes = 1024 * 1024 * 1024

export interface FramePrefix {
  readonly crc: number
  readonly headBytes: number
  readonly bodyBytes: number
}

/**
 * Starts a frame in `writer` and returns its position; the head is written next, then `endFrame`.
 */
export function beginFrame(writer: ByteWriter): number {
  const at = writer.length
  writer.reserve(framePrefixBytes)
  writer.length += framePrefixBytes
  return at
}

/** Completes the frame that starts at `at`: writes its lengths and its checksum. */
export function endFrame(writer: ByteWriter, at: number, bodyBytes: number): void {
  const bytes = writer.reserve(0)
  bytes.writeUInt32BE(writer.length - at - framePrefixBytes, at + 4)
  bytes.writeUInt32BE(bodyBytes, at + 8)
  bytes.writeUInt32BE(crc32c(bytes, at + 4, writer.length), at)
}

/** Reads the prefix at `at`; undefined if the lengths are not those of a frame. */
export function readFramePrefix(bytes: Buffer, at: number): FramePrefix | undefined {
  const headBytes = bytes.readUInt32BE(at + 4)
  const bodyBytes = bytes.readUInt32BE(at + 8)
  if (headBytes === 0 || headBytes + bodyBytes > maxFrameBytes) return undefined
  return { crc: bytes.readUInt32BE(at), headBytes, bodyBytes }
}

/** Whether the checksum of the prefix and head at `at` is correct. */
export function isHeadValid(bytes: Buffer, at: number, prefix: FramePrefix): boolean {
  return crc32c(bytes, at + 4, at + framePrefixBytes + prefix.headBytes) === prefix.crc
}
