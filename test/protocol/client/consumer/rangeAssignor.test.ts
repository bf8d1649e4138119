import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rangeAssign } from '../../../../protocol/client/consumer/rangeAssignor.ts'

test('each member gets one contiguous range, the first members a longer one', () => {
  const members = ['c', 'a', 'b'].map((memberId) => ({ memberId, topics: ['t', 'u'] }))
  const assigned = rangeAssign(
    members,
    new Map([
      ['t', 7],
      ['u', 2],
    ]),
  )
  expect(assigned.get('a')).toEqual(
    new Map([
      ['t', [0, 1, 2]],
      ['u', [0]],
    ]),
  )
  expect(assigned.get('b')).toEqual(
    new Map([
      ['t', [3, 4]],
      ['u', [1]],
    ]),
  )
  expect(assigned.get('c')).toEqual(new Map([['t', [5, 6]]]))
})

test('property: every partition of a subscribed topic is assigned to exactly one subscriber', () => {
  const topics = fc.subarray(['t', 'u', 'v'])
  const members = fc.uniqueArray(fc.record({ memberId: fc.string({ minLength: 1 }), topics }), {
    selector: ({ memberId }) => memberId,
    maxLength: 6,
  })
  const counts = fc.record({ t: fc.nat(10), u: fc.nat(10), v: fc.nat(10) })
  fc.assert(
    fc.property(members, counts, (members, counts) => {
      const assigned = rangeAssign(members, new Map(Object.entries(counts)))
      for (const [topic, count] of Object.entries(counts)) {
        const takers = members.filter(({ topics }) => topics.includes(topic))
        const shares = takers.map(({ memberId }) => assigned.get(memberId)!.get(topic) ?? [])
        const all = shares.flat().sort((one, other) => one - other)
        expect(all).toEqual(takers.length === 0 ? [] : Array.from({ length: count }, (_, at) => at))
        const sizes = shares.map(({ length }) => length)
        if (sizes.length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }
    }),
  )
})
