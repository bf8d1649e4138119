// Snappy as Kafka's Java clients write it: the xerial library's framing around raw snappy blocks.
// Other clients send one raw block without framing; both are decoded.
//
// Framing: 8 bytes of magic, a version and the lowest compatible version (int32 each), then blocks
// of an int32 length and a raw snappy block, which starts with its decoded length as a varint.

import { compressSync, uncompressSync } from 'snappy'
import { MalformedError } from './malformed.ts'
import { ByteReader } from './reader.ts'
import { ByteWriter } from './writer.ts'

const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const version = 1
const headerBytes = magic.length + 8
/** Block size of Java clients. */
const blockBytes = 32 * 1024
/**
 * Maximum expansion: snappy's densest element is a 3-byte copy of 64 bytes, so a larger claim is
 * invalid.
 */
const maxExpansion = 22
/**
 * Copies the output: handing native memory to the garbage collector costs three times as much as
 * decoding and copying a block of 20 KB.
 */
const decoding = { copyOutputData: true } as const

export function compressSnappy(bytes: Buffer): Buffer {
  const writer = new ByteWriter(headerBytes + (bytes.length >>> 1))
  writer.raw(magic)
  writer.int32(version)
  writer.int32(version)
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = compressSync(bytes.subarray(at, at + blockBytes))
    writer.int32(block.length)
    writer.raw(block)
  }
  return writer.take()
}

/** Throws MalformedError for invalid input, or before decoding more than `maxBytes`. */
export function decompressSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!isFramed(bytes)) return decodeBlock(bytes, maxBytes)
  const reader = new ByteReader(bytes, headerBytes)
  const blocks: Buffer[] = []
  let total = 0
  while (reader.remaining > 0) {
    const block = decodeBlock(reader.view(reader.int32()), maxBytes - total)
    if (block.length > 0) blocks.push(block)
    total += block.length
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks, total)
}

function isFramed(bytes: Buffer): boolean {
  return bytes.length >= headerBytes && bytes.compare(magic, 0, magic.length, 0, magic.length) === 0
}

function decodeBlock(block: Buffer, maxBytes: number): Buffer {
  const decodedBytes = new ByteReader(block).uvarint()
  if (decodedBytes > maxBytes) {
    throw new MalformedError(`snappy block of ${decodedBytes} bytes, ${maxBytes} allowed`)
  }
  if (decodedBytes > block.length * maxExpansion) {
    throw new MalformedError(`snappy block of ${block.length} bytes claims ${decodedBytes}`)
  }
  try {
    return uncompressSync(block, decoding) as Buffer
  } catch (cause) {
    throw new MalformedError(`not snappy: ${(cause as Error).message}`, cause)
  }
}
