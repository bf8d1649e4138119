// LZ4's frame format. The npm package decodes only whole frames without an output limit (785 KB can
// expand to 200 MB), so it is used to compress only, and frames are decoded here.
//
// Frame: magic, FLG, BD, optional content size and dictionary id, header checksum, then blocks (an
// int32 length whose top bit means "stored", the bytes, an optional checksum), a zero length, and
// an optional content checksum. Little-endian. The xxHash checksums are skipped: a record batch's
// CRC-32C covers the same bytes.

import { compressFrameSync } from 'lz4-napi'
import { decodeLz4Block } from './lz4Block.ts'
import { MalformedError } from './malformed.ts'

const magic = 0x184d2204
const Flag = {
  dictionaryId: 0x01,
  reserved: 0x02,
  contentChecksum: 0x04,
  contentSize: 0x08,
  blockChecksum: 0x10,
} as const
const storedBit = 0x80000000
/** Maximum expansion: no LZ4 sequence yields more than 255 bytes per input byte. */
const maxExpansion = 255
const usualExpansion = 4
/** Holds a block of the largest size; larger output gets its own memory. */
const scratchBytes = 4 * 1024 * 1024

interface FrameHeader {
  readonly flags: number
  readonly maxBlockBytes: number
  /** Index of the first block. */
  readonly end: number
}

/** Returns one frame of independent blocks, without checksums. */
export function compressLz4(bytes: Buffer): Buffer {
  return compressFrameSync(bytes)
}

/**
 * Reused buffer while the size of the output is unknown: allocating mostly unused memory costs as
 * much as decoding.
 */
let scratch: Buffer | undefined

/** Throws MalformedError for invalid input, or before producing more than `maxBytes`. */
export function decompressLz4(bytes: Buffer, maxBytes: number): Buffer {
  const header = readHeader(bytes)
  const checksumBytes = header.flags & Flag.blockChecksum ? 4 : 0
  let output = firstOutput(Math.min(maxBytes, bytes.length * usualExpansion))
  let total = 0
  let at = header.end
  for (;;) {
    const word = uint32(bytes, at)
    at += 4
    if (word === 0) break
    const isStored = word >= storedBit
    const length = isStored ? word - storedBit : word
    if (length > header.maxBlockBytes || length > bytes.length - at) {
      throw new MalformedError(`lz4 block of ${length} bytes at ${at}`)
    }
    const most = isStored ? length : Math.min(length * maxExpansion, header.maxBlockBytes)
    const limit = Math.min(total + most, maxBytes)
    output = withRoom(output, total, limit, maxBytes)
    if (!isStored) total = decodeLz4Block(bytes, at, at + length, output, total, limit)
    else if (total + length <= limit) total += bytes.copy(output, total, at, at + length)
    else throw new MalformedError(`lz4 data expands to more than ${maxBytes} bytes`)
    at += length + checksumBytes
  }
  const end = at + (header.flags & Flag.contentChecksum ? 4 : 0)
  if (end !== bytes.length) throw new MalformedError('lz4 frame and input differ in length')
  return output === scratch ? Buffer.copyBytesFrom(output, 0, total) : output.subarray(0, total)
}

function firstOutput(usualBytes: number): Buffer {
  if (usualBytes > scratchBytes) return Buffer.allocUnsafeSlow(usualBytes)
  scratch ??= Buffer.allocUnsafeSlow(scratchBytes)
  return scratch
}

function readHeader(bytes: Buffer): FrameHeader {
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== magic) throw new MalformedError('not lz4')
  const flags = bytes[4]!
  if (flags >>> 6 !== 1) throw new MalformedError(`lz4 frame version ${flags >>> 6}`)
  if (flags & (Flag.reserved | Flag.dictionaryId)) {
    throw new MalformedError('lz4 frame with a dictionary or reserved flags')
  }
  const sizeCode = (bytes[5]! >>> 4) & 7
  if (sizeCode < 4) throw new MalformedError(`lz4 block size code ${sizeCode}`)
  return {
    flags,
    maxBlockBytes: 4 ** (sizeCode - 4) * 64 * 1024,
    end: flags & Flag.contentSize ? 15 : 7,
  }
}

/** Returns the same content with capacity up to `limit`; doubles, but never exceeds `maxBytes`. */
function withRoom(output: Buffer, used: number, limit: number, maxBytes: number): Buffer {
  if (limit <= output.length) return output
  const grown = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(limit, output.length * 2)))
  output.copy(grown, 0, 0, used)
  return grown
}

function uint32(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw new MalformedError('truncated lz4 frame')
  return bytes.readUInt32LE(at)
}
