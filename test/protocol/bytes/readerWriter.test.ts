import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteReader, readInt64, writeInt64 } from '../../../protocol/bytes/reader.ts'
import { ByteWriter } from '../../../protocol/bytes/writer.ts'

interface Codec<T> {
  readonly values: fc.Arbitrary<T>
  write(writer: ByteWriter, value: T): void
  read(reader: ByteReader): T
}

const codecs = {
  int8: numeric(fc.integer({ min: -(2 ** 7), max: 2 ** 7 - 1 }), 'int8'),
  uint8: numeric(fc.integer({ min: 0, max: 2 ** 8 - 1 }), 'uint8'),
  int16: numeric(fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }), 'int16'),
  uint16: numeric(fc.integer({ min: 0, max: 2 ** 16 - 1 }), 'uint16'),
  int32: numeric(fc.integer(), 'int32'),
  uint32: numeric(fc.integer({ min: 0, max: 2 ** 32 - 1 }), 'uint32'),
  int64: numeric(fc.maxSafeInteger(), 'int64'),
  float64: numeric(fc.double(), 'float64'),
  uvarint: numeric(fc.integer({ min: 0, max: 2 ** 32 - 1 }), 'uvarint'),
  varint: numeric(fc.integer(), 'varint'),
  varlong: numeric(fc.maxSafeInteger(), 'varlong'),
} as const

type Name = keyof typeof codecs

function numeric(
  values: fc.Arbitrary<number>,
  name:
    | 'int8'
    | 'uint8'
    | 'int16'
    | 'uint16'
    | 'int32'
    | 'uint32'
    | 'int64'
    | 'float64'
    | 'uvarint'
    | 'varint'
    | 'varlong',
): Codec<number> {
  return { values, write: (writer, value) => writer[name](value), read: (reader) => reader[name]() }
}

const fields = fc.oneof(
  ...(Object.keys(codecs) as Name[]).map((name) =>
    codecs[name].values.map((value) => ({ name, value })),
  ),
)

describe('a reader reads what a writer wrote', () => {
  test('numbers of every kind, in any order', () => {
    fc.assert(
      fc.property(fc.array(fields), (written) => {
        const writer = new ByteWriter(0)
        for (const { name, value } of written) codecs[name].write(writer, value)
        const reader = new ByteReader(writer.written())
        for (const { name, value } of written) expect(codecs[name].read(reader)).toBe(value)
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  test('text and raw bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.uint8Array(), (text, bytes) => {
        const writer = new ByteWriter()
        const textBytes = writer.utf8(text)
        writer.raw(bytes)
        const reader = new ByteReader(writer.take())
        expect(reader.utf8(textBytes)).toBe(text)
        expect(reader.view(bytes.length)).toEqual(Buffer.from(bytes))
      }),
    )
  })

  test.each([
    ['varlong', Number.MAX_SAFE_INTEGER, 8],
    ['varlong', Number.MIN_SAFE_INTEGER, 8],
    ['varlong', -1, 1],
    ['varlong', 63, 1],
    ['varlong', 64, 2],
    ['varint', -(2 ** 31), 5],
    ['varint', 2 ** 31 - 1, 5],
    ['uvarint', 2 ** 32 - 1, 5],
    ['uvarint', 127, 1],
  ] as const)('%s %d takes %d bytes', (name, value, bytes) => {
    const writer = new ByteWriter()
    codecs[name].write(writer, value)
    expect(writer.length).toBe(bytes)
    expect(codecs[name].read(new ByteReader(writer.written()))).toBe(value)
  })

  test('int64 agrees with BigInt', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const bytes = Buffer.alloc(8)
        writeInt64(bytes, 0, value)
        expect(bytes.readBigInt64BE()).toBe(BigInt(value))
        expect(readInt64(bytes, 0)).toBe(value)
      }),
    )
  })
})

describe('malformed input', () => {
  test('any bytes give a value within them or a MalformedError', () => {
    const names = fc.constantFrom(...(Object.keys(codecs) as Name[]))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), names, (bytes, name) => {
        const reader = new ByteReader(bytes)
        try {
          codecs[name].read(reader)
          expect(reader.position).toBeLessThanOrEqual(bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError)
        }
      }),
    )
  })

  test.each([
    ['an int64 outside the safe integers', (r: ByteReader) => r.int64(), '7fffffffffffffff'],
    ['an int64 just below them', (r: ByteReader) => r.int64(), 'ffdfffffffffffff'],
    ['a varlong outside the safe integers', (r: ByteReader) => r.varlong(), 'ffffffffffffffffff01'],
    ['a varlong of 11 bytes', (r: ByteReader) => r.varlong(), '8080808080808080808000'],
    ['a varint over 32 bits', (r: ByteReader) => r.varint(), 'ffffffff1f'],
    ['a varint of 6 bytes', (r: ByteReader) => r.uvarint(), '808080808000'],
    ['a varint without an end', (r: ByteReader) => r.uvarint(), '80'],
    ['a negative length', (r: ByteReader) => r.view(-1), '00'],
    ['a length past the end', (r: ByteReader) => r.view(2), '00'],
    ['text past the end', (r: ByteReader) => r.utf8(2 ** 31), '00'],
    ['a skip past the end', (r: ByteReader) => r.skip(2), '00'],
  ])('%s', (_what, read, hex) => {
    expect(() => read(new ByteReader(Buffer.from(hex, 'hex')))).toThrow(MalformedError)
  })

  test('a reader of a range does not read past the range', () => {
    const reader = new ByteReader(Buffer.alloc(16), 4, 8)
    reader.int32()
    expect(() => reader.int8()).toThrow(MalformedError)
  })

  test('a range outside the bytes is a broken invariant', () => {
    expect(() => new ByteReader(Buffer.alloc(4), 0, 5)).toThrow('within its bytes')
  })
})

describe('the writer and its memory', () => {
  test('take hands over the memory: later writes do not change it', () => {
    const writer = new ByteWriter()
    writer.int32(1)
    const taken = writer.take()
    writer.int32(2)
    expect(taken.readInt32BE()).toBe(1)
    expect(writer.written().readInt32BE()).toBe(2)
  })

  test('reset starts over in the same memory', () => {
    const writer = new ByteWriter()
    writer.int32(1)
    writer.reset()
    writer.int16(7)
    expect(writer.written()).toEqual(Buffer.from([0, 7]))
  })

  test('patchInt32 overwrites written bytes only', () => {
    const writer = new ByteWriter()
    writer.int32(0)
    writer.patchInt32(0, 9)
    expect(writer.written().readInt32BE()).toBe(9)
    expect(() => writer.patchInt32(1, 9)).toThrow('patched')
  })

  test.each([-1, 2 ** 32])('an unsigned varint of %d is a broken invariant', (value) => {
    expect(() => new ByteWriter().uvarint(value)).toThrow('32 bits')
  })
})
