// Avro values: a written value is read back, with a reader schema as well; all other bytes are a
// malformed record, and never block the reader or give a value that was not written.

import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { requirePlainElements } from '../../../engine/rdd/plainResults.ts'
import { type AvroOptions, type AvroSchema, avro } from '../../../engine/rows/avro.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { anyRecord } from '../sources/lineRecords.ts'

const user = {
  type: 'record',
  name: 'User',
  fields: [
    { name: 'name', type: 'string' },
    { name: 'age', type: 'int' },
    { name: 'seen', type: 'long' },
    { name: 'score', type: 'double' },
    { name: 'weight', type: 'float' },
    { name: 'isNew', type: 'boolean' },
    { name: 'photo', type: 'bytes' },
    { name: 'hash', type: { type: 'fixed', name: 'Hash', size: 2 } },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] } },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    { name: 'counts', type: { type: 'map', values: 'int' } },
    { name: 'friend', type: ['null', 'User'] },
  ],
} as const

interface User {
  name: string
  age: number
  seen: number
  score: number
  weight: number
  isNew: boolean
  photo: Buffer
  hash: Buffer
  kind: 'A' | 'B'
  tags: string[]
  counts: Record<string, number>
  friend: User | null
}

const anyUser: fc.Arbitrary<User> = fc.letrec<{ user: User }>((tie) => ({
  user: fc.record({
    name: fc.string({ unit: 'grapheme' }),
    age: fc.integer(),
    seen: fc.maxSafeInteger(),
    score: fc.double({ noNaN: true }),
    weight: fc.float({ noNaN: true }),
    isNew: fc.boolean(),
    photo: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    hash: fc.uint8Array({ minLength: 2, maxLength: 2 }).map((bytes) => Buffer.from(bytes)),
    kind: fc.constantFrom('A', 'B'),
    tags: fc.array(fc.string()),
    counts: fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      fc.integer(),
      { noNullPrototype: true },
    ),
    friend: fc.option(tie('user'), { maxDepth: 3 }),
  }),
})).user

/** Writes longs from BigInt: the library's own type is not exact. */
const wideLong = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer(value: bigint | number) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' || Number.isSafeInteger(value),
  compare: (one: bigint, other: bigint) => (one < other ? -1 : one > other ? 1 : 0),
})

function written(schema: unknown, value: unknown): Buffer {
  const options = { registry: { long: wideLong } }
  return avsc.Type.forSchema(schema as avsc.Schema, options).toBuffer(value)
}

function read<Row>(schema: AvroSchema, value: Uint8Array, options?: AvroOptions): Row {
  const inside = Buffer.concat([Buffer.from('<<'), value, Buffer.from('>>')])
  return avro<Row>(schema, options).row(inside, 2, inside.length - 2, anyRecord)
}

/** Converts parsed JSON to the values that structured clone gives. */
function revived(_key: string, value: unknown): unknown {
  const { type, data } = (value ?? {}) as { type?: unknown; data?: number[] }
  return type === 'Buffer' ? new Uint8Array(data!) : value
}

describe('a value', () => {
  test('is read back as a plain value', () => {
    fc.assert(
      fc.property(anyUser, (value) => {
        const row = read<User>(user, written(user, value))
        expect(row).toEqual(value)
        expect(structuredClone(row).name).toBe(value.name)
        for (let each: User | null = row; each; each = each.friend) {
          expect(Object.getPrototypeOf(each)).toBe(Object.prototype)
        }
      }),
    )
  })

  test('has the type that the job asserts, and its bytes own their memory', () => {
    const bytes = written('bytes', Buffer.from('abc'))
    const row = avro<Buffer>('"bytes"').row(bytes, 0, bytes.length, anyRecord)
    expectTypeOf(row).toEqualTypeOf<Buffer>()
    bytes.fill(0)
    expect(row.toString()).toBe('abc')
    expect(row.buffer.byteLength).toBe(3)
  })

  test('is read with a reader schema', () => {
    const writer = {
      type: 'record',
      name: 'Order',
      fields: [
        { name: 'id', type: 'int' },
        { name: 'old', type: { type: 'array', items: 'string' } },
      ],
    }
    const readerSchema = {
      type: 'record',
      name: 'Order',
      fields: [
        { name: 'state', type: 'string', default: 'open' },
        { name: 'id', type: 'long' },
      ],
    }
    const row = read(writer, written(writer, { id: 5, old: ['a'] }), { readerSchema })
    expect(row).toEqual({ state: 'open', id: 5 })
    expect(() => avro(writer, { readerSchema: 'int' })).toThrow(
      expect.objectContaining({ code: 'JOB_GRAPH_INVALID' }),
    )
  })

  test('of a union has a branch name if the type is ambiguous', () => {
    const plain = ['null', 'string', 'int'] as const
    expect(read(plain, written(plain, 'x'))).toBe('x')
    const alike = ['int', 'float'] as const
    expect(read(alike, written(alike, { float: 5 }))).toEqual({ float: 5 })
    expect(read(['null', 'long'], written(['null', 'long'], 5))).toBe(5)
  })

  test('has exact longs, up to the limits of numbers', () => {
    for (const bits of [0, 6, 7, 13, 26, 27, 28, 31, 32, 47, 48, 49, 51, 52, 53]) {
      for (const near of [-1, 0, 1]) {
        for (const long of [2 ** bits + near, -(2 ** bits) + near]) {
          if (Number.isSafeInteger(long)) expect(read('long', written('long', long))).toBe(long)
          else expect(() => read('long', written('long', BigInt(long)))).toThrow(MalformedError)
        }
      }
    }
    const withDefault = (value: number) => {
      const field = { name: 'n', type: ['long', 'null'], default: value }
      return { type: 'record', name: 'R', fields: [field] }
    }
    const empty = { type: 'record', name: 'R', fields: [] }
    const readerSchema = withDefault(-(2 ** 40))
    expect(read(empty, Buffer.alloc(0), { readerSchema })).toEqual({ n: -(2 ** 40) })
  })

  test('with a long is read as a double, or rejected as malformed', () => {
    const asDouble = { readerSchema: 'double' }
    expect(read('long', written('long', 2 ** 51), asDouble)).toBe(2 ** 51)
    // The library alone reads this long as a positive number.
    const beyond = () => read('long', written('long', -(2 ** 52) - 1), asDouble)
    expect(beyond).toThrow(MalformedError)
  })

  test('is also plain in unions, arrays and maps', () => {
    const inner = { type: 'record', name: 'Inner', fields: [{ name: 'b', type: 'bytes' }] }
    const schemas: [schema: unknown, value: unknown][] = [
      [{ type: 'array', items: inner }, [{ b: Buffer.from('x') }]],
      [{ type: 'map', values: inner }, { k: { b: Buffer.from('x') } }],
      [['null', inner], { b: Buffer.from('x') }],
      [['null', inner], null],
      [['null', 'string', inner, 'bytes', { type: 'array', items: 'string' }], ['s']],
      [[inner, { type: 'array', items: 'string' }], ['s']],
      [[inner, 'bytes'], Buffer.from('y')],
      [['string', { type: 'map', values: 'bytes' }], { k: Buffer.from('z') }],
      [[inner, { ...inner, name: 'Other' }], { Other: { b: Buffer.from('x') } }],
    ]
    for (const [schema, value] of schemas) {
      const row = read(schema as AvroSchema, written(schema, value))
      expect(row).toEqual(value)
      expect(structuredClone(row)).toEqual(JSON.parse(JSON.stringify(row), revived))
      requirePlainElements([row])
    }
  })

  test('has the frame of a schema registry', () => {
    const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), written('int', 3)])
    expect(read('int', framed, { framed: true })).toBe(3)
    expect(read('int', framed, { framed: { schemaId: 7 } })).toBe(3)
    const other = () => read('int', framed, { framed: { schemaId: 8 } })
    expect(other).toThrow(/has schema id 7; this job reads 8/)
    expect(() => read('int', written('int', 3), { framed: true })).toThrow(MalformedError)
  })
})

describe('malformed bytes are rejected', () => {
  const long = (value: number) => written('long', value)
  const array = { type: 'array', items: 'null' }
  const map = { type: 'map', values: 'int' }
  const list = {
    type: 'record',
    name: 'List',
    fields: [{ name: 'next', type: ['null', 'List'] }],
  }
  test.each([
    ['a truncated double', 'double', Buffer.alloc(7)],
    ['an int with trailing bytes', 'int', Buffer.from([2, 2])],
    ['a string longer than the value', 'string', long(2 ** 40)],
    ['a string of a negative length', 'string', long(-1)],
    ['a string that is not UTF-8', 'string', Buffer.from([2, 0xff])],
    ['bytes longer than the value', 'bytes', long(3)],
    ['an array of very many nulls', array, Buffer.concat([long(2 ** 40), long(0)])],
    ['many arrays of nulls', array, Buffer.concat([...Array(20).fill(long(90_000)), long(0)])],
    ['a block of another size', array, Buffer.concat([long(-1), long(1), long(0), long(0)])],
    ['a block longer than the value', array, Buffer.concat([long(-1), long(99), long(0)])],
    [
      'a map with a prototype',
      map,
      Buffer.concat([long(1), written('string', '__proto__'), long(1), long(0)]),
    ],
    [
      'a map with a prototype, whose length is written in two bytes',
      map,
      Buffer.concat([long(1), Buffer.from([0x92, 0]), Buffer.from('__proto__'), long(1), long(0)]),
    ],
    ['a branch that does not exist', ['null', 'int'], long(2)],
    ['a symbol that does not exist', { type: 'enum', name: 'E', symbols: ['A'] }, long(-1)],
    ['an int of 33 bits', 'int', long(2 ** 32)],
    ['a long beyond exact numbers', 'long', Buffer.from([0xfe, ...Array(8).fill(0xff), 1])],
    ['a number without an end', 'long', Buffer.alloc(20, 0xff)],
    ['a boolean of 2', 'boolean', Buffer.from([2])],
    ['a list of very many nodes', list, Buffer.alloc(100_000, 2)],
  ])('%s', (_name, schema, value) => {
    expect(() => read(schema as AvroSchema, value)).toThrow(MalformedError)
  })

  test('for any bytes, a value is read as it was written or not at all', () => {
    fc.assert(
      fc.property(
        anyUser,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        (value, changes) => {
          const bytes = written(user, value)
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte
          let row: unknown
          try {
            row = read(user, bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedError)
            return
          }
          expect(read(user, written(user, row))).toEqual(row)
        },
      ),
      { numRuns: 300 },
    )
  })
})

test('an invalid schema is refused', () => {
  for (const schema of ['nonsense', '{"type":', { type: 'record', name: 'R', fields: 5 }]) {
    expect(() => avro(schema)).toThrow(expect.objectContaining({ code: 'JOB_GRAPH_INVALID' }))
  }
  const proto = { type: 'record', name: 'R', fields: [{ name: '__proto__', type: 'int' }] }
  expect(() => avro(proto)).toThrow(/__proto__/)
})

test('the description of a format has all of its parameters, however the schema is written', () => {
  const field = { name: 'a', type: 'int' }
  const one = avro({ type: 'record', name: 'R', fields: [field] }).describe()
  const same = avro({ fields: [{ type: 'int', name: 'a' }], name: 'R', type: 'record' }).describe()
  expect(same).toBe(one)
  expect(avro(JSON.stringify({ type: 'record', name: 'R', fields: [field] })).describe()).toBe(one)
  const others = [
    avro('int'),
    avro('int', { readerSchema: 'long' }),
    avro('int', { framed: true }),
    avro('int', { framed: { schemaId: 1 } }),
    avro({ type: 'record', name: 'R', fields: [{ ...field, default: 1 }] }),
  ].map((format) => format.describe())
  expect(new Set([one, ...others]).size).toBe(6)
})
