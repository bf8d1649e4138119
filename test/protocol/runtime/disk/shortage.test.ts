import { expect, test } from 'vitest'
import { isDiskFull, isSystemShortage } from '../../../../protocol/runtime/disk/shortage.ts'

test('a full disk or quota, and too many open files, are shortages; other errors are not', () => {
  const kinds = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EIO', undefined].map((code) => {
    const error = Object.assign(new Error('failed'), code && { code })
    return [isDiskFull(error), isSystemShortage(error)]
  })
  expect(kinds).toEqual([
    ...[
      [true, true],
      [true, true],
      [false, true],
      [false, true],
      [false, false],
      [false, false],
    ],
  ])
  expect(isSystemShortage(undefined)).toBe(false)
})
