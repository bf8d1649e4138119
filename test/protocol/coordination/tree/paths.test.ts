import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxPathBytes } from '../../../../protocol/coordination/tree/operation.ts'
import {
  joinPath,
  lastName,
  parentPath,
  pathFault,
  sequenceSuffix,
} from '../../../../protocol/coordination/tree/paths.ts'

describe('a path', () => {
  test.each(['/', '/a', '/brokers/ids/1', '/...', '/.a', '/a.', '/a b', '/größe/日本'])(
    '%s is allowed',
    (path) => expect(pathFault(path)).toBeUndefined(),
  )

  test.each([
    ['is absolute', ['', 'a', 'a/b', '.']],
    ['has no empty component', ['//', '/a//b', '/a/', '//a']],
    ['has no component "." or ".."', ['/.', '/..', '/a/.', '/a/../b', '/./a']],
    ['has no control character', ['/a\0', '/\u0001b', '/a/\n', '/\u007f', '/\u009f', '/a\u001fb']],
    [
      'has no surrogate, private use character or special',
      ['/😀', '/\ud800', '/\uf8ff', '/\ufffd'],
    ],
  ])('%s', (_rule, paths) => {
    for (const path of paths) expect(pathFault(path), JSON.stringify(path)).toBeTypeOf('string')
  })

  test('has as many bytes as allowed, and no more', () => {
    expect(pathFault(`/${'a'.repeat(maxPathBytes - 1)}`)).toBeUndefined()
    expect(pathFault(`/${'a'.repeat(maxPathBytes)}`)).toContain('1024 bytes')
    // 1 + 2 * 511 = 1023 bytes.
    expect(pathFault(`/${'é'.repeat(511)}`)).toBeUndefined()
    expect(pathFault(`/${'é'.repeat(512)}`)).toContain('1024 bytes')
  })

  test('consists of its parent and its name', () => {
    expect([parentPath('/a'), lastName('/a')]).toEqual(['/', 'a'])
    expect([parentPath('/a/b/c'), lastName('/a/b/c')]).toEqual(['/a/b', 'c'])
    expect(lastName('/')).toBe('')
    const component = fc.stringMatching(/^[a-z]{1,5}$/)
    fc.assert(
      fc.property(fc.array(component, { minLength: 1, maxLength: 6 }), (names) => {
        const path = names.reduce(joinPath, '/')
        expect(path).toBe(`/${names.join('/')}`)
        expect(pathFault(path)).toBeUndefined()
        expect(joinPath(parentPath(path), lastName(path))).toBe(path)
      }),
    )
  })
})

test('numbers of sequential nodes have ten digits, and sort like numbers', () => {
  expect(sequenceSuffix(0)).toBe('0000000000')
  expect(sequenceSuffix(1234567)).toBe('0001234567')
  expect(sequenceSuffix(9_999_999_999) > sequenceSuffix(999_999_999)).toBe(true)
})
