import { expect, test } from 'vitest'
import { differences, reasons } from './confluentDifferences.ts'
import { operations } from './confluentFacts.ts'

test("every difference from Confluent's published API has a reason", () => {
  const unexplained = differences().filter(
    (difference) => !reasons.some(({ isFor }) => isFor(difference)),
  )
  expect(unexplained.map(({ operation, what }) => `${operation} ${what}`)).toEqual([])
})

test('every reason explains a difference', () => {
  const idle = reasons.filter(({ isFor }) => !differences().some(isFor))
  expect(idle.map(({ title }) => title)).toEqual([])
})

test('every published operation is served, except for ACLs', () => {
  const missing = differences().filter(({ what }) => what === 'is not served')
  expect(missing.every(({ operation }) => operation.includes('/acls'))).toBe(true)
  expect(Object.keys(operations).length - missing.length).toBe(46)
})
