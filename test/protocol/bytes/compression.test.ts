import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { compressSync as snappyBlock } from 'snappy'
import { describe, expect, test } from 'vitest'
import { Compression, compress, decompress } from '../../../protocol/bytes/compression.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'

const codecs = Object.entries(Compression)
const packing = codecs.filter(([name]) => name !== 'none')

/** Text with near and distant repetitions, and noise: matches and literals of every length. */
const contents = fc
  .array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 400 })))
  .map((parts) => Buffer.concat(parts.flatMap(([bytes, times]) => Array(times).fill(bytes))))

describe.each(codecs)('%s', (_name, codec) => {
  test('decompresses what it compressed', () => {
    fc.assert(
      fc.property(contents, (bytes) => {
        expect(decompress(codec, compress(codec, bytes), bytes.length).equals(bytes)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  test('several megabytes, half of them noise', () => {
    const bytes = Buffer.concat([Buffer.alloc(3_000_000, 'millrace '), randomBytes(2_000_000)])
    expect(decompress(codec, compress(codec, bytes), bytes.length).equals(bytes)).toBe(true)
  })

  test('stops at its limit', () => {
    const packed = compress(codec, Buffer.alloc(100_000, 'abc'))
    expect(() => decompress(codec, packed, 99_999)).toThrow(MalformedError)
    expect(() => decompress(codec, packed, 0)).toThrow(MalformedError)
    expect(decompress(codec, packed, 100_000)).toHaveLength(100_000)
  })
})

describe.each(packing)('malformed %s', (_name, codec) => {
  test('any bytes: a MalformedError, or output within the limit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expectSound(() => decompress(codec, bytes, 1000), 1000)
      }),
    )
  })

  test('corrupt and truncated data: a MalformedError, or output within the limit', () => {
    const packed = compress(codec, Buffer.from('to be or not to be, '.repeat(500)))
    fc.assert(
      fc.property(
        fc.nat(packed.length - 1),
        fc.nat(255),
        fc.nat(packed.length),
        (at, byte, cut) => {
          const damaged = Buffer.from(packed.subarray(0, cut))
          if (at < cut) damaged[at] = byte
          expectSound(() => decompress(codec, damaged, 20_000), 20_000)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a decompression bomb costs no more than the limit', () => {
    const bomb = compress(codec, Buffer.alloc(64 * 1024 * 1024))
    const before = process.memoryUsage().arrayBuffers
    expect(() => decompress(codec, bomb, 1024 * 1024)).toThrow(MalformedError)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024)
  })
})

function expectSound(decode: () => Buffer, maxBytes: number): void {
  try {
    expect(decode().length).toBeLessThanOrEqual(maxBytes)
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedError)
  }
}

test('an unknown codec is malformed', () => {
  expect(() => decompress(7 as Compression, Buffer.alloc(1), 10)).toThrow(MalformedError)
})

describe('snappy', () => {
  test('is written with the framing of the Java clients', () => {
    const packed = compress(Compression.snappy, Buffer.alloc(40_000, 'x'))
    expect(packed.subarray(0, 16).toString('hex')).toBe('82534e41505059000000000100000001')
    const firstBlock = packed.readInt32BE(16)
    expect(packed.readInt32BE(20 + firstBlock)).toBe(packed.length - 24 - firstBlock)
  })

  test('is read without framing too, as other clients send it', () => {
    const bytes = Buffer.from('one raw block '.repeat(10))
    expect(decompress(Compression.snappy, snappyBlock(bytes), 1000)).toEqual(bytes)
  })

  test('a length prefix of 4 GB is refused before anything is allocated', () => {
    const lie = Buffer.from('ffffffff0f00', 'hex')
    expect(() => decompress(Compression.snappy, lie, 2 ** 33)).toThrow(MalformedError)
  })
})

describe('lz4', () => {
  const bytes = Buffer.from('line after line after line, '.repeat(9000))

  test('frames with checksums are read', () => {
    const packed = compressFrameSync(bytes, { contentChecksum: true, blockChecksums: true })
    expect(decompress(Compression.lz4, packed, bytes.length)).toEqual(bytes)
  })

  test('linked blocks refer to the blocks before them', () => {
    // A frame by hand, FLG without the independence bit: "abcdefgh" stored, then a block whose only
    // match reaches back 8 bytes into the block before it for 8 bytes, then the literals "!!!!!".
    const stored = Buffer.concat([Buffer.from('08000080', 'hex'), Buffer.from('abcdefgh')])
    const match = Buffer.concat([Buffer.from('04080050', 'hex'), Buffer.from('!!!!!')])
    const size = Buffer.alloc(4)
    size.writeUInt32LE(match.length)
    const frame = Buffer.concat([
      Buffer.from('04224d18404000', 'hex'),
      stored,
      size,
      match,
      Buffer.alloc(4),
    ])
    expect(decompress(Compression.lz4, frame, 100).toString()).toBe('abcdefghabcdefgh!!!!!')
  })

  test.each([
    ['a distance beyond the output', '04224d18604000' + '04000000' + '04ff0050' + '00000000'],
    ['a block larger than the frame allows', '04224d18604000' + 'ffffff7f' + '00000000'],
    ['a dictionary', '04224d18614000' + '00000000'],
    ['bytes after the frame', '04224d18604000' + '00000000' + '00'],
    ['no end mark', '04224d18604000'],
  ])('%s is malformed', (_what, hex) => {
    expect(() => decompress(Compression.lz4, Buffer.from(hex, 'hex'), 1000)).toThrow(MalformedError)
  })
})
