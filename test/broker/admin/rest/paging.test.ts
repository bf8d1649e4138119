import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Page, pageOf } from '../../../../broker/admin/rest/paging.ts'

const sorted = (names: Iterable<string>) =>
  [...names].sort((one, other) => (one < other ? -1 : one > other ? 1 : 0))

const page = (names: Iterable<string>, size: number, token?: string): Page<string> =>
  pageOf('names', names, (name) => name, {
    page_size: size,
    ...(token === undefined ? {} : { page_token: token }),
  })

test('pages of any size hold every entry once, in order', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 3 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      (names, size) => {
        const seen: string[] = []
        let token: string | undefined
        do {
          const { entries, nextToken } = page(names, size, token)
          expect(entries.length).toBeLessThanOrEqual(size)
          if (nextToken !== undefined) expect(entries).toHaveLength(size)
          seen.push(...entries)
          token = nextToken
        } while (token !== undefined)
        expect(seen).toEqual(sorted(names))
      },
    ),
  )
})

test('an entry is shown once while other entries are added and removed', () => {
  const names = fc.uniqueArray(fc.string({ maxLength: 3 }))
  fc.assert(
    fc.property(names, names, names, fc.integer({ min: 1, max: 5 }), (stay, go, come, size) => {
      const before = new Set([...stay, ...go])
      const after = new Set([...stay, ...come])
      const first = page(before, size)
      const seen = [...first.entries]
      let token = first.nextToken
      while (token !== undefined) {
        const next = page(after, size, token)
        seen.push(...next.entries)
        token = next.nextToken
      }
      const kept = new Set(stay)
      expect(seen.filter((name) => kept.has(name))).toEqual(sorted(stay))
    }),
  )
})

test('numbers are in numeric order', () => {
  const ids = [10, 9, 100, 1]
  const first = pageOf('ids', ids, (id) => id, { page_size: 2 })
  expect(first.entries).toEqual([1, 9])
  const token = first.nextToken!
  expect(pageOf('ids', ids, (id) => id, { page_token: token }).entries).toEqual([10, 100])
})

test('a token of another list, or an invalid one, is refused', () => {
  const { nextToken } = pageOf('topics', ['a', 'b'], (name) => name, { page_size: 1 })
  const tokens = [nextToken!, 'x', '', Buffer.from('["names",null]').toString('base64url'), '!!!']
  for (const token of tokens) {
    expect(() => page(['a'], 1, token)).toThrow(/page_token was not issued for this list/)
  }
})
