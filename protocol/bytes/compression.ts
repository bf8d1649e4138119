// Kafka's compression codecs. Input is untrusted: every decoder has a limit for its output and
// stops there, since a few kilobytes can claim to expand to gigabytes.

import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressLz4, decompressLz4 } from './lz4Frame.ts'
import { MalformedError } from './malformed.ts'
import { asBuffer } from './reader.ts'
import { compressSnappy, decompressSnappy } from './xerialSnappy.ts'

/** Codec numbers, as in the attributes of a record batch. */
export const Compression = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
export type Compression = (typeof Compression)[keyof typeof Compression]

/** Size of output chunks; zlib's default of 16 KiB costs a third of its speed. */
const zlibChunkBytes = 128 * 1024
const smallestChunkBytes = 16 * 1024
/** Usual expansion: most batches then need one chunk, no larger than their output. */
const usualExpansion = 4

/**
 * Compresses in the format that Java clients write. `none` returns the same memory. `level` applies
 * to gzip and zstd; default: the codec's own.
 */
export function compress(codec: Compression, bytes: Uint8Array, level?: number): Buffer {
  switch (codec) {
    case Compression.none:
      return asBuffer(bytes)
    case Compression.gzip:
      return gzipSync(bytes, {
        chunkSize: zlibChunkBytes,
        level: level ?? constants.Z_DEFAULT_COMPRESSION,
      })
    case Compression.snappy:
      return compressSnappy(asBuffer(bytes))
    case Compression.lz4:
      return compressLz4(asBuffer(bytes))
    case Compression.zstd:
      return zstdCompressSync(bytes, {
        chunkSize: zlibChunkBytes,
        params: { [constants.ZSTD_c_compressionLevel]: level ?? constants.ZSTD_CLEVEL_DEFAULT },
      })
    default:
      throw new MalformedError(`unknown compression codec ${codec}`)
  }
}

/**
 * Returns the decompressed bytes. Throws MalformedError if the input is invalid or expands to more
 * than `maxBytes`; memory stays within a small multiple of `maxBytes` in both cases.
 */
export function decompress(codec: Compression, bytes: Uint8Array, maxBytes: number): Buffer {
  switch (codec) {
    case Compression.none:
      if (bytes.length > maxBytes) throw new MalformedError(`more than ${maxBytes} bytes`)
      return asBuffer(bytes)
    case Compression.gzip:
      return inflate('gzip', gunzipSync, bytes, maxBytes)
    case Compression.snappy:
      return decompressSnappy(asBuffer(bytes), maxBytes)
    case Compression.lz4:
      return decompressLz4(asBuffer(bytes), maxBytes)
    case Compression.zstd:
      return inflate('zstd', zstdDecompressSync, bytes, maxBytes)
    default:
      throw new MalformedError(`unknown compression codec ${codec}`)
  }
}

type ZlibDecoder = typeof gunzipSync | typeof zstdDecompressSync

function inflate(name: string, decode: ZlibDecoder, bytes: Uint8Array, maxBytes: number): Buffer {
  const maxOutputLength = Math.max(maxBytes, 1) // zlib refuses a limit of zero
  const usualBytes = Math.max(bytes.length * usualExpansion, smallestChunkBytes)
  const chunkSize = Math.min(usualBytes, zlibChunkBytes)
  try {
    const output = decode(bytes, { maxOutputLength, chunkSize })
    if (output.length <= maxBytes) return output
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'ERR_BUFFER_TOO_LARGE') {
      throw new MalformedError(`not ${name}: ${(cause as Error).message}`, cause)
    }
  }
  throw new MalformedError(`${name} data expands to more than ${maxBytes} bytes`)
}
