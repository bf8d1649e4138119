// Forged record batches: false counts and deltas, other magic bytes, and streams of each codec that
// are broken or would decompress to gigabytes. Most have a correct CRC, because otherwise no code
// behind the CRC would be tested.

import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { Compression } from '../../protocol/bytes/compression.ts'
import { crc32c } from '../../protocol/bytes/crc32c.ts'
import {
  RecordBatchAttribute,
  RecordBatchField,
  recordBatchOverheadBytes,
} from '../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/records/recordBatchBuilder.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import { oneIn, pick, trickyInt32, trickyInt64, trickyVarint } from './draw.ts'

const codecs = [
  Compression.none,
  Compression.gzip,
  Compression.snappy,
  Compression.lz4,
  Compression.zstd,
]

/** Returns a valid batch, of any codec, from a producer of any kind. */
export function soundBatch(random: Random, nowMs: number): Buffer {
  const builder = new RecordBatchBuilder({
    compression: pick(random, codecs),
    isTransactional: oneIn(random, 8),
    ...(oneIn(random, 3) && {
      producerId: random.below(6),
      producerEpoch: random.below(3),
      baseSequence: random.below(3),
    }),
  })
  for (let count = 1 + random.below(4); count > 0; count--) {
    const key = oneIn(random, 4) ? null : Buffer.from(`key-${random.below(10)}`)
    const value = oneIn(random, 6) ? null : Buffer.alloc(random.below(200), 'value ')
    const headers = oneIn(random, 4) ? [{ key: 'h', value: random.bytes(random.below(9)) }] : []
    builder.append(nowMs - random.below(100_000), key, value, headers)
  }
  return builder.build()
}

/** Returns one or more batches with an error in them. */
export function forgedBatch(random: Random, nowMs: number): Buffer {
  const batch = soundBatch(random, nowMs)
  switch (random.below(8)) {
    case 0:
      return oneIn(random, 4) ? bombBatch(batch, random) : wrongHeader(batch, random)
    case 1:
      return withRecords(batch, pick(random, codecs), random.bytes(random.below(100)))
    case 2:
      return Buffer.concat([batch, soundBatch(random, nowMs)])
    case 3:
      return batch.subarray(0, random.below(batch.length))
    case 4:
      return brokenRecords(batch, random)
    default:
      return wrongHeader(batch, random)
  }
}

function bombBatch(batch: Buffer, random: Random): Buffer {
  const { codec, bytes } = pick(random, bombs())
  return withRecords(batch, codec, bytes)
}

/** Damages the batch in place. */
export function wrongHeader(batch: Buffer, random: Random): Buffer {
  const fields = Object.values(RecordBatchField)
  for (let count = 1 + random.below(2); count > 0; count--) {
    const at = pick(random, fields)
    switch (at) {
      case RecordBatchField.magic:
        batch.writeInt8(pick(random, [0, 1, 3, -1, 127]), at)
        break
      case RecordBatchField.attributes:
        batch.writeUInt16BE(random.uint32() & pick(random, [0x7f, 0xffff]), at)
        break
      case RecordBatchField.producerEpoch:
        batch.writeInt16BE(pick(random, [-2, -1, 0, 1, 32_767, -32_768]), at)
        break
      case RecordBatchField.baseOffset:
      case RecordBatchField.baseTimestamp:
      case RecordBatchField.maxTimestamp:
      case RecordBatchField.producerId:
        trickyInt64(random).copy(batch, at)
        break
      default:
        batch.writeInt32BE(trickyInt32(random), at)
    }
  }
  return oneIn(random, 4) ? batch : withCrc(batch)
}

/**
 * Damages bytes behind the header: lengths, deltas and headers of records, or a compressed stream.
 */
function brokenRecords(batch: Buffer, random: Random): Buffer {
  const at = recordBatchOverheadBytes + random.below(batch.length - recordBatchOverheadBytes)
  const parts = [
    batch.subarray(0, at),
    oneIn(random, 2) ? trickyVarint(random, trickyInt32(random)) : random.bytes(random.below(8)),
    batch.subarray(at + random.below(3)),
  ]
  const changed = Buffer.concat(parts)
  changed.writeInt32BE(changed.length - 12, RecordBatchField.batchLength)
  return withCrc(changed)
}

/** Returns the batch with other records, which its header does not describe. */
export function withRecords(batch: Buffer, codec: Compression, records: Buffer): Buffer {
  const changed = Buffer.concat([batch.subarray(0, recordBatchOverheadBytes), records])
  changed.writeInt32BE(changed.length - 12, RecordBatchField.batchLength)
  const others = changed.readUInt16BE(RecordBatchField.attributes)
  const attributes = (others & ~RecordBatchAttribute.compressionMask) | codec
  changed.writeUInt16BE(attributes, RecordBatchField.attributes)
  return withCrc(changed)
}

function withCrc(batch: Buffer): Buffer {
  if (batch.length < recordBatchOverheadBytes) return batch
  batch.writeUInt32BE(
    crc32c(batch, RecordBatchField.attributes, batch.length),
    RecordBatchField.crc,
  )
  return batch
}

export interface Bomb {
  readonly codec: Compression
  readonly bytes: Buffer
}

let made: readonly Bomb[] | undefined

/**
 * Decompression bombs: few bytes each, which claim or become hundreds of megabytes up to gigabytes.
 */
export function bombs(): readonly Bomb[] {
  made ??= [
    { codec: Compression.gzip, bytes: gzipBomb() },
    { codec: Compression.snappy, bytes: snappyBomb() },
    { codec: Compression.snappy, bytes: snappyClaim() },
    { codec: Compression.lz4, bytes: lz4Bomb() },
    { codec: Compression.zstd, bytes: zstdBomb() },
    { codec: Compression.zstd, bytes: zstdClaim() },
  ]
  return made
}

/** Gzip members may follow one another: 16 times 16 MiB. */
function gzipBomb(): Buffer {
  const member = gzipSync(Buffer.alloc(16 * 1024 * 1024), { level: constants.Z_BEST_COMPRESSION })
  return Buffer.concat(Array.from({ length: 16 }, () => member))
}

/** A frame of blocks of one repeated byte, each four bytes for 128 KiB: 2 GiB. */
function zstdBomb(): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])
  const blocks = Array.from({ length: 16_384 }, (_, at) => rleBlock(at === 16_383))
  return Buffer.concat([header, ...blocks])
}

function rleBlock(isLast: boolean): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUIntLE((131_072 << 3) | (1 << 1) | (isLast ? 1 : 0), 0, 3)
  return bytes
}

/** A frame that claims 2^62 bytes. */
function zstdClaim(): Buffer {
  const bytes = Buffer.from(zstdCompressSync(Buffer.alloc(1000)))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(2n ** 62n)
  return Buffer.concat([bytes.subarray(0, 4), Buffer.from([0xe0]), size, bytes.subarray(6)])
}

/** A block of 4 MiB in 16 KiB, 32 times. */
function lz4Bomb(): Buffer {
  const start = Buffer.from([0x1f, 0x00, 0x01, 0x00])
  const run = Buffer.alloc(16_440, 0xff)
  const end = Buffer.from([0x00, 0x50, 0, 0, 0, 0, 0])
  const block = Buffer.concat([start, run, end])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(block.length)
  const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73])
  const blocks = Array.from({ length: 32 }, () => [length, block]).flat()
  return Buffer.concat([header, ...blocks, Buffer.alloc(4)])
}

const xerial = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])

/** One byte and copies of 64 bytes in three bytes each: 2 MiB in each of 8 blocks of 96 KiB. */
function snappyBomb(): Buffer {
  const copies = 32_768
  const block = Buffer.concat([
    Buffer.from([...varintBytes(1 + copies * 64), 0x00, 0x61]),
    Buffer.alloc(copies * 3, Buffer.from([0xfe, 0x01, 0x00])),
  ])
  const length = Buffer.alloc(4)
  length.writeInt32BE(block.length)
  return Buffer.concat([xerial, ...Array.from({ length: 8 }, () => [length, block]).flat()])
}

/** A block that claims 4 GiB. */
function snappyClaim(): Buffer {
  return Buffer.from([...varintBytes(0xffffffff), 0x00, 0x61, 0xfe, 0x01, 0x00])
}

function varintBytes(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return [...bytes, rest]
}
