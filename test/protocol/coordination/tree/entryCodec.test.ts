import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedError } from '../../../../protocol/bytes/malformed.ts'
import { CoordinationError } from '../../../../protocol/coordination/coordinationError.ts'
import { decodeEntry, encodeEntry } from '../../../../protocol/coordination/tree/entryCodec.ts'
import type { Operation } from '../../../../protocol/coordination/tree/operation.ts'
import {
  type Entry,
  maxRequests,
  type Request,
} from '../../../../protocol/coordination/tree/proposal.ts'

const text = fc.string({ maxLength: 20, unit: 'grapheme' })
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const optionalVersion = fc.oneof(
  fc.constant({}),
  fc.record({ version: fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double()) }),
)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    type: fc.constant('create' as const),
    path: text,
    data: bytes,
    isEphemeral: fc.boolean(),
    isSequential: fc.boolean(),
  }),
  fc
    .tuple(text, bytes, optionalVersion)
    .map(([path, data, more]) => ({ type: 'set' as const, path, data, ...more })),
  fc
    .tuple(fc.constantFrom('delete' as const, 'check' as const), text, optionalVersion)
    .map(([type, path, more]) => ({ type, path, ...more })),
)

const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    type: fc.constant('openSession' as const),
    session: text,
    timeoutMs: fc.double(),
    name: text,
  }),
  fc.record({ type: fc.constant('closeSession' as const), session: text }),
  fc.record({
    type: fc.constant('transaction' as const),
    session: fc.option(text, { nil: undefined }),
    operations: fc.array(operation, { maxLength: 8 }),
  }),
)

const finite = { noNaN: true, noDefaultInfinity: true }
const anyEntry: fc.Arbitrary<Entry> = fc.record({
  member: text,
  number: fc.maxSafeNat(),
  stepMs: fc.double({ ...finite, min: 0 }),
  wallMs: fc.double(finite),
  requests: fc.array(request, { maxLength: 8 }),
})

const heartbeat: Entry = { member: 'm', number: 1, stepMs: 0, wallMs: 0, requests: [] }

function isRefusal(error: unknown): boolean {
  const isUnsupported =
    error instanceof CoordinationError && error.code === 'COORDINATION_UNSUPPORTED'
  return isUnsupported || error instanceof MalformedError
}

/** Decodes; true if the bytes were refused as they should be. */
function isRefused(encoded: Uint8Array): boolean {
  try {
    decodeEntry(encoded)
    return false
  } catch (error) {
    if (!isRefusal(error)) throw error
    return true
  }
}

describe('an entry', () => {
  test('is decoded as it was encoded', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        expect(decodeEntry(encodeEntry(entry))).toEqual(entry)
      }),
      { numRuns: 500 },
    )
  })

  test('of a caller who left flags out has them as false', () => {
    const operations: Operation[] = [{ type: 'create', path: '/a', data: Buffer.from('x') }]
    const requests: Request[] = [{ type: 'transaction', session: undefined, operations }]
    const decoded = decodeEntry(encodeEntry({ ...heartbeat, requests })).requests[0]
    const flags = { isEphemeral: false, isSequential: false }
    expect(decoded).toMatchObject({ operations: [{ ...operations[0], ...flags }] })
  })

  test('that is cut short anywhere is malformed', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const encoded = encodeEntry(entry)
        for (let end = 0; end < encoded.length; end++) {
          expect(() => decodeEntry(encoded.subarray(0, end))).toThrow(MalformedError)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('with bytes after it is malformed', () => {
    const encoded = Buffer.concat([encodeEntry(heartbeat), Buffer.of(0)])
    expect(() => decodeEntry(encoded)).toThrow('1 bytes after an entry')
  })

  test('with any byte changed decodes or is refused, with no other error', () => {
    fc.assert(
      fc.property(anyEntry, fc.nat(), fc.integer({ min: 0, max: 255 }), (entry, at, value) => {
        const encoded = encodeEntry(entry)
        encoded[at % encoded.length] = value
        isRefused(encoded)
      }),
      { numRuns: 1000 },
    )
  })

  test('of random bytes decodes or is refused, with no other error', () => {
    const random = fc.uint8Array({ maxLength: 200 })
    fc.assert(fc.property(random, (array) => void isRefused(Buffer.of(1, ...array))))
    fc.assert(fc.property(random, (array) => void isRefused(array)))
  })

  test('of a later release is unsupported, and one without a version is malformed', () => {
    const encoded = encodeEntry(heartbeat)
    encoded[0] = 2
    const unsupported = expect.objectContaining({ code: 'COORDINATION_UNSUPPORTED' })
    expect(() => decodeEntry(encoded)).toThrow(unsupported)
    encoded[0] = 0
    expect(() => decodeEntry(encoded)).toThrow(MalformedError)
  })

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])(
    'with a step of %d ms is malformed',
    (ms) => {
      const encoded = encodeEntry(heartbeat)
      // Version, length and text of the member, number.
      encoded.writeDoubleBE(ms, 4)
      expect(() => decodeEntry(encoded)).toThrow(MalformedError)
      expect(() => encodeEntry({ ...heartbeat, stepMs: ms })).toThrow(
        'times of an entry are finite',
      )
    },
  )

  test('that claims more requests than its bytes can hold, or than allowed, is malformed', () => {
    const encoded = encodeEntry(heartbeat)
    const claims = Buffer.concat([encoded.subarray(0, -1), Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f)])
    expect(() => decodeEntry(claims)).toThrow(MalformedError)
    const closing: Request = { type: 'closeSession', session: '' }
    const most = encodeEntry({ ...heartbeat, requests: Array(maxRequests).fill(closing) })
    expect(decodeEntry(most).requests).toHaveLength(maxRequests)
    const oneMore = Buffer.concat([
      encoded.subarray(0, -1),
      Buffer.of(0x81, 0x20),
      Buffer.alloc(2 * (maxRequests + 1), Buffer.of(2, 0)),
    ])
    expect(() => decodeEntry(oneMore)).toThrow('4097 requests in one entry')
  })

  test('is in a buffer that is little larger than itself, as it may be kept', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const encoded = encodeEntry(entry)
        const count = entry.requests.reduce(
          (sum, each) => sum + ('operations' in each ? each.operations.length : 0) + 1,
          0,
        )
        expect(encoded.buffer.byteLength).toBeLessThan(encoded.length + 256 + 40 * count)
      }),
    )
  })
})
