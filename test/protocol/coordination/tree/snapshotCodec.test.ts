import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedError } from '../../../../protocol/bytes/malformed.ts'
import { ByteWriter } from '../../../../protocol/bytes/writer.ts'
import { CoordinationError } from '../../../../protocol/coordination/coordinationError.ts'
import { CoordinationState } from '../../../../protocol/coordination/tree/coordinationState.ts'
import {
  applied,
  arbitraryEntries,
  arbitraryEntry,
  create,
  entry,
  open,
  remove,
  transact,
} from './entries.ts'

const state = arbitraryEntries.map((entries) => {
  const folded = CoordinationState.create(1)
  for (const each of entries) applied(folded, each)
  return folded
})

/** Restores, or returns undefined if the bytes were refused as they should be. */
function restored(bytes: Uint8Array): CoordinationState | undefined {
  try {
    return CoordinationState.restore(bytes)
  } catch (error) {
    const isUnsupported =
      error instanceof CoordinationError && error.code === 'COORDINATION_UNSUPPORTED'
    if (isUnsupported || error instanceof MalformedError) return undefined
    throw error
  }
}

describe('a snapshot', () => {
  test('of a restored state has the same bytes', () => {
    fc.assert(
      fc.property(state, (folded) => {
        const bytes = folded.snapshot()
        expect(CoordinationState.restore(bytes).snapshot().equals(bytes)).toBe(true)
      }),
    )
  })

  test('does not depend on the order in which a tree was made', () => {
    const one = CoordinationState.create(1)
    const other = CoordinationState.create(1)
    transact(one, [create('/b'), create('/a'), create('/a/y'), create('/a/x')])
    transact(other, [create('/a'), create('/a/x'), create('/a/y'), create('/b')])
    expect(one.snapshot().equals(other.snapshot())).toBe(true)
    // A refused deletion puts the node back, behind the others in the order of the map.
    transact(one, [remove('/a/x'), remove('/none')])
    transact(other, [remove('/none')])
    expect(one.snapshot().equals(other.snapshot())).toBe(true)
  })

  test('keeps the ephemeral nodes of each session', () => {
    const folded = CoordinationState.create(1)
    applied(folded, entry([open('s', 3000)]))
    transact(folded, [create('/a', '', { isEphemeral: true })], 's')
    const again = CoordinationState.restore(folded.snapshot())
    const late = entry([], { member: 'two', stepMs: 1200 })
    const steps = [late, late, late].flatMap((each) => applied(again, each))
    expect(steps).toMatchObject([{ events: [{ type: 'deleted', path: '/a' }] }])
  })

  test('may be of a path as deep as paths can be', () => {
    const folded = CoordinationState.create(1)
    let path = ''
    for (let depth = 0; depth < 512; depth++) {
      path += '/d'
      transact(folded, [create(path)])
    }
    expect(CoordinationState.restore(folded.snapshot()).exists(path)).toBeDefined()
    const wide = `/${'é'.repeat(511)}`
    expect(transact(folded, [create(wide)])).toHaveProperty('results')
    expect(CoordinationState.restore(folded.snapshot()).exists(wide)).toBeDefined()
  })

  test('that is cut short anywhere is malformed', () => {
    fc.assert(
      fc.property(state, (folded) => {
        const bytes = folded.snapshot()
        const step = Math.ceil(bytes.length / 300)
        for (let end = 0; end < bytes.length; end += step) {
          expect(() => CoordinationState.restore(bytes.subarray(0, end))).toThrow(MalformedError)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('with any byte changed is refused, or gives a state that folds on and can be saved', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(state, fc.nat(), byte, arbitraryEntry, (folded, at, value, next) => {
        const bytes = Buffer.from(folded.snapshot())
        bytes[at % bytes.length] = value
        const found = restored(bytes)
        if (found === undefined) return
        applied(found, next)
        const saved = found.snapshot()
        expect(CoordinationState.restore(saved).snapshot().equals(saved)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('of random bytes is refused, with no other error', () => {
    const random = fc.uint8Array({ maxLength: 200 })
    fc.assert(fc.property(random, (array) => void restored(Buffer.of(1, ...array))))
  })

  test('of a later release is unsupported', () => {
    const bytes = CoordinationState.create(1).snapshot()
    bytes[0] = 2
    const unsupported = expect.objectContaining({ code: 'COORDINATION_UNSUPPORTED' })
    expect(() => CoordinationState.restore(bytes)).toThrow(unsupported)
  })
})

describe('a snapshot is malformed', () => {
  interface Parts {
    sessions: (writer: ByteWriter) => void
    root: (writer: ByteWriter) => void
  }

  function text(writer: ByteWriter, value: string): void {
    writer.uvarint(Buffer.byteLength(value))
    writer.utf8(value)
  }

  function session(
    writer: ByteWriter,
    id: string,
    zxid: number,
    heardMs: number,
    member = id,
  ): void {
    for (const each of [id, member, '']) text(writer, each)
    writer.float64(3000)
    writer.float64(heardMs)
    writer.varlong(zxid)
  }

  /** Flags: 1 changed, 2 owner, 4 children. */
  function node(writer: ByteWriter, flags: number, zxid: number): void {
    writer.uint8(flags)
    writer.varlong(zxid)
    writer.float64(0)
    if ((flags & 1) !== 0) {
      writer.varlong(zxid)
      writer.float64(0)
    }
    writer.varlong(0)
    if ((flags & 2) !== 0) writer.uvarint(0)
    writer.uvarint(0)
  }

  function children(writer: ByteWriter, names: string[], zxid = 0): void {
    for (const number of [zxid, names.length, 0]) writer.varlong(number)
    writer.uvarint(names.length)
    for (const name of names) {
      text(writer, name)
      node(writer, 0, zxid)
    }
  }

  const zxid = 2 ** 40 + 9

  /** A snapshot at the clock of 5000 ms. */
  function snapshot(parts: Partial<Parts>): Buffer {
    const writer = new ByteWriter()
    writer.uint8(1)
    writer.varlong(zxid)
    writer.float64(5000)
    if (parts.sessions === undefined) writer.uvarint(0)
    else parts.sessions(writer)
    if (parts.root === undefined) node(writer, 0, 0)
    else parts.root(writer)
    return writer.take()
  }

  function sessions(
    ...each: [id: string, zxid: number, heardMs: number, member?: string][]
  ): Buffer {
    return snapshot({
      sessions: (writer) => {
        writer.uvarint(each.length)
        for (const fields of each) session(writer, ...fields)
      },
    })
  }

  function names(...each: string[]): Buffer {
    return snapshot({
      root: (writer) => {
        node(writer, 4, 0)
        children(writer, each)
      },
    })
  }

  test('for none of these reasons when it is well formed', () => {
    const ids = CoordinationState.restore(
      sessions(['s', zxid - 1, 2000], ['t', zxid, 5000]),
    ).sessions
    expect([...ids.keys()]).toEqual(['s', 't'])
    expect(CoordinationState.restore(names('a', 'b')).children('/')).toEqual(['a', 'b'])
  })

  test.each([
    ['a session that should have expired', sessions(['s', zxid, 1999])],
    ['a session heard in the future', sessions(['s', zxid, 5001])],
    ['two sessions of one id', sessions(['s', zxid - 1, 2000], ['s', zxid, 2000])],
    ['sessions out of order', sessions(['s', zxid, 2000], ['t', zxid - 1, 2000])],
    ['a session of a later zxid', sessions(['s', zxid + 1, 2000])],
    ['a member heard at two times', sessions(['s', zxid - 1, 2000, 'm'], ['t', zxid, 2001, 'm'])],
    ['children out of order', names('b', 'a')],
    ['two children of one name', names('a', 'a')],
    ['a name with a slash', names('a/b')],
    ['a name that is not allowed', names('..')],
    ['a path that is too long', names('a'.repeat(1024))],
    ['a node of a later zxid', snapshot({ root: (writer) => node(writer, 0, zxid + 1) })],
    ['a change at the creation', snapshot({ root: (writer) => node(writer, 1, zxid) })],
    ['unknown flags', snapshot({ root: (writer) => node(writer, 8, 0) })],
    ['an owner without a session', snapshot({ root: (writer) => node(writer, 2, 0) })],
    ['bytes after it', Buffer.concat([snapshot({}), Buffer.of(0)])],
  ])('with %s', (_reason, bytes) => {
    expect(() => CoordinationState.restore(bytes)).toThrow(MalformedError)
  })

  test('with children of an ephemeral node', () => {
    const below = snapshot({
      sessions: (writer) => {
        writer.uvarint(1)
        session(writer, 's', zxid, 5000)
      },
      root: (writer) => {
        node(writer, 4, 0)
        for (const number of [0, 1, 0]) writer.varlong(number)
        writer.uvarint(1)
        text(writer, 'a')
        node(writer, 6, zxid)
        children(writer, ['b'], zxid)
      },
    })
    expect(() => CoordinationState.restore(below)).toThrow('the ephemeral /a has children')
  })
})
