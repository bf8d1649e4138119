// The chain: what is appended in order is followed; anything else is noticed.

import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  Chain,
  chainOf,
  entryHeaderBytes,
  genesisDigest,
  openSnapshot,
} from '../../../../protocol/coordination/log/chain.ts'

const identity = { generation: 3, id: '0b9c3a5e-4f0a-4c38-9c1e-0d3f2a1b4c5d' }
const payload = fc.uint8Array({ maxLength: 40 })
const payloads = fc.array(payload, { minLength: 2, maxLength: 12 })

/** The entries of a log, in order. */
function entriesOf(contents: readonly Uint8Array[], of = identity): Buffer[] {
  const chain = new Chain(of)
  return contents.map((each, at) => {
    const bytes = chain.frame(each)
    expect(chain.follow(at + 1, bytes)).toHaveProperty('payload')
    return bytes
  })
}

/** Follows until a fault, as a member does; returns its index and kind. */
function firstFault(entries: readonly Uint8Array[]): [index: number, fault: string] | undefined {
  const chain = new Chain(identity)
  for (const [at, bytes] of entries.entries()) {
    const followed = chain.follow(at + 1, bytes)
    if ('fault' in followed) return [at, followed.fault]
  }
  return undefined
}

describe('Chain', () => {
  test('property: entries are followed in order, with their payloads', () => {
    fc.assert(
      fc.property(payloads, (contents) => {
        const chain = new Chain(identity)
        for (const [at, bytes] of entriesOf(contents).entries()) {
          const followed = chain.follow(at + 1, bytes)
          expect(followed).toEqual({ payload: Buffer.from(contents[at]!) })
        }
        expect(chain.sequence).toBe(contents.length)
      }),
    )
  })

  test('property: a changed entry is noticed, at the latest by its successor', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (...drawn) => {
        const [contents, which, where, flip] = drawn
        const entries = entriesOf(contents)
        const at = which % (entries.length - 1)
        const bytes = entries[at]!
        bytes[where % bytes.length]! ^= flip
        const [found] = firstFault(entries)!
        expect([at, at + 1]).toContain(found)
      }),
    )
  })

  test('property: a missing, repeated or swapped entry is noticed where it is', () => {
    fc.assert(
      fc.property(
        payloads,
        fc.nat(),
        fc.constantFrom('missing', 'repeated', 'swapped'),
        (...drawn) => {
          const [contents, which, change] = drawn
          const entries = entriesOf(contents)
          const at = which % (entries.length - 1)
          const [one, other] = [entries[at]!, entries[at + 1]!]
          if (change === 'missing') entries.splice(at, 1)
          if (change === 'repeated') entries.splice(at, 0, one)
          if (change === 'swapped') entries.splice(at, 2, other, one)
          const fault = change === 'repeated' ? at + 1 : at
          expect(firstFault(entries)).toEqual([fault, 'forked'])
        },
      ),
    )
  })

  test('property: an entry of another log is noticed, even with equal payloads', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), (contents, which) => {
        const entries = entriesOf(contents)
        const at = which % entries.length
        entries[at] = entriesOf(contents, { ...identity, generation: 4 })[at]!
        expect(firstFault(entries)).toEqual([at, 'forked'])
      }),
    )
  })

  test('an entry at another sequence is refused, and changes nothing', () => {
    const chain = new Chain(identity)
    const bytes = chain.frame(Buffer.from('one'))
    expect(chain.follow(2, bytes)).toEqual({ fault: 'gap', problem: 'entry 2 follows entry 0' })
    expect(chain.follow(1, bytes)).toEqual({ payload: Buffer.from('one') })
    expect(chain.follow(1, bytes)).toHaveProperty('fault', 'gap')
  })

  test('bytes without a header are malformed, those of a later release unsupported', () => {
    const chain = new Chain(identity)
    const bytes = chain.frame(Buffer.from('one'))
    for (const wrong of [
      Buffer.alloc(0),
      Buffer.alloc(40),
      bytes.subarray(0, entryHeaderBytes - 1),
    ]) {
      expect(chain.follow(1, wrong)).toHaveProperty('fault', 'malformed')
    }
    bytes[1] = 2
    expect(chain.follow(1, bytes)).toMatchObject({
      fault: 'unsupported',
      problem: 'entry 1 has format 2; this release reads format 1',
    })
  })

  test('claims are compared at any recent sequence', () => {
    const [one, other, behind] = [new Chain(identity), new Chain(identity), new Chain(identity)]
    const first = one.frame(Buffer.from('one'))
    for (const chain of [one, other, behind]) chain.follow(1, first)
    one.follow(2, one.frame(Buffer.from('two')))
    other.follow(2, other.frame(Buffer.from('another')))
    expect(one.compare(behind.position('b'))).toBe('same')
    expect(one.compare(other.position('o'))).toBe('different')
    expect(behind.compare(one.position('o'))).toBe('unknown')
    expect(one.compare({ ...other.position('o'), id: 'another log' })).toBe('unknown')
    expect(one.position('me')).toEqual({
      id: identity.id,
      sequence: 2,
      digest: expect.stringMatching(/^[0-9a-f]{32}$/),
      member: 'me',
    })
  })

  test('an entry that was followed is told from another one at its sequence', () => {
    const chain = new Chain(identity)
    const [one, other] = [chain.frame(Buffer.from('one')), chain.frame(Buffer.from('other'))]
    chain.follow(1, one)
    expect([chain.hasOther(1, one), chain.hasOther(1, other)]).toEqual([false, true])
    expect(chain.hasOther(2, other)).toBe(false)
  })

  test('digests of old entries are forgotten', () => {
    const chain = new Chain(identity)
    const start = chain.position('a')
    for (let sequence = 1; sequence < 4096; sequence++) {
      chain.follow(sequence, chain.frame(Buffer.alloc(0)))
    }
    expect(chain.compare(start)).toBe('same')
    chain.follow(4096, chain.frame(Buffer.alloc(0)))
    expect(chain.compare(start)).toBe('unknown')
  })

  test('logs with another generation or id begin with another digest', () => {
    const digests = [
      genesisDigest(identity),
      genesisDigest({ ...identity, generation: 4 }),
      genesisDigest({ ...identity, id: 'x' }),
    ].map((digest) => digest.toString('hex'))
    expect(new Set(digests).size).toBe(3)
  })
})

describe('snapshots', () => {
  function snapshotOf(state: Uint8Array): { bytes: Buffer; chain: Chain } {
    const chain = new Chain(identity)
    for (let sequence = 1; sequence <= 5; sequence++) {
      chain.follow(sequence, chain.frame(Buffer.of(sequence)))
    }
    return { bytes: chain.frameSnapshot(state), chain }
  }

  test('property: a snapshot has its state and continues the chain', () => {
    fc.assert(
      fc.property(payload, (state) => {
        const { bytes, chain } = snapshotOf(state)
        const opened = openSnapshot(bytes)
        if ('fault' in opened) throw new Error(opened.problem)
        expect(opened).toMatchObject({ identity, sequence: 5, state: Buffer.from(state) })
        const restored = new Chain(opened.identity, opened)
        expect(restored.position('a')).toEqual(chain.position('a'))
        const next = chain.frame(Buffer.from('six'))
        expect(restored.follow(6, next)).toEqual({ payload: Buffer.from('six') })
      }),
    )
  })

  test('property: a snapshot with a flipped byte, or cut off, is refused', () => {
    fc.assert(
      fc.property(payload, fc.nat(), fc.integer({ min: 1, max: 255 }), (state, where, flip) => {
        const { bytes } = snapshotOf(state)
        const cut = bytes.subarray(0, where % bytes.length)
        expect(openSnapshot(cut)).toHaveProperty('fault', 'malformed')
        bytes[where % bytes.length]! ^= flip
        expect(openSnapshot(bytes)).toHaveProperty('fault')
      }),
    )
  })

  test('a chain that continues with a snapshot knows the entries before it', () => {
    const { bytes } = snapshotOf(Buffer.of())
    const opened = openSnapshot(bytes)
    if ('fault' in opened) throw new Error(opened.problem)
    const restored = new Chain(identity, opened)
    const [own, forked] = [new Chain(identity), new Chain(identity)]
    expect(restored.compare(own.position('a'))).toBe('same')
    for (let sequence = 1; sequence <= 5; sequence++) {
      own.follow(sequence, own.frame(Buffer.of(sequence)))
      forked.follow(sequence, forked.frame(Buffer.of(sequence === 2 ? 9 : sequence)))
      expect(restored.compare(own.position('a'))).toBe('same')
      expect(restored.compare(forked.position('a'))).toBe(sequence < 2 ? 'same' : 'different')
    }
  })

  test('a snapshot has the digests of at most 4096 entries', () => {
    const chain = new Chain(identity)
    const count = 5000
    for (let sequence = 1; sequence <= count; sequence++) {
      chain.follow(sequence, chain.frame(Buffer.alloc(0)))
    }
    const bytes = chain.frameSnapshot(Buffer.from('state'))
    expect(openSnapshot(bytes)).toMatchObject({ sequence: count, state: Buffer.from('state') })
    expect(openSnapshot(bytes)).toHaveProperty('digests.length', 4096)
  })

  test('a number of digests that is more than a snapshot has is refused before it is read', () => {
    const { bytes } = snapshotOf(Buffer.of())
    const countAt = 31 + identity.id.length
    expect(bytes.readUInt16BE(countAt)).toBe(6)
    for (const [count, problem] of [
      [0, 'the snapshot has 0 digests'],
      [5000, 'the snapshot has 5000 digests'],
      [4096, /cut off/],
    ] as const) {
      bytes.writeUInt16BE(count, countAt)
      const digest = createHash('sha256').update(bytes.subarray(18)).digest().subarray(0, 16)
      digest.copy(bytes, 2)
      expect(openSnapshot(bytes)).toEqual({
        fault: 'malformed',
        problem: expect.stringMatching(problem),
      })
    }
  })

  test('a history is followed to its end, or to its first fault', () => {
    const { bytes, chain } = snapshotOf(Buffer.of())
    const six = chain.frame(Buffer.from('six'))
    const history = {
      identity,
      snapshot: { sequence: 5, bytes },
      entries: [{ sequence: 6, bytes: six }],
      lastSequence: 6,
    }
    chain.follow(6, six)
    expect(chainOf(history)).toEqual(chain)
    expect(chainOf({ ...history, snapshot: undefined })).toHaveProperty('fault', 'gap')
    const cut = { sequence: 5, bytes: bytes.subarray(1) }
    expect(chainOf({ ...history, snapshot: cut })).toHaveProperty('fault', 'malformed')
  })

  test('a snapshot of a later release is named as such', () => {
    const { bytes } = snapshotOf(Buffer.from('state'))
    bytes[1] = 7
    expect(openSnapshot(bytes)).toEqual({
      fault: 'unsupported',
      problem: 'the snapshot has format 7; this release reads format 1',
    })
  })
})
