// House rules for files: each opens with what it is, is short enough to read, and has a name that
// says what is in it; errors with a code have one base class.

import { describe, expect, test } from 'vitest'
import { files, sources, textOf } from './sources.ts'

const mostLines = 600

/** A comment; or the text of the reference page, in an entry of the package. */
const opening = /^\/\/|^\/\*\*\n(?: \*.*\n)* \* @module/
const vagueName = /(^|\/)(utils?|helpers?|types|index|common|misc)(\.ts|\/)/
const ownCode = /\bextends Error \{\s*(?:\/\*\*[^*]*\*\/\s*)?readonly code\b/
const skipped = /\b(?:test|it|describe)\.(?:skip|only|todo)\(/

describe('files', () => {
  test('every source file opens with a comment that says what it is', () => {
    expect(sources.filter((file) => !opening.test(withoutShebang(textOf(file))))).toEqual([])
  })

  test('no source file is longer than 600 lines', () => {
    expect(sources.filter((file) => linesOf(textOf(file)) > mostLines)).toEqual([])
  })

  test('every name of a file or folder says what is in it', () => {
    expect(files.filter((file) => vagueName.test(file))).toEqual([])
  })

  test('an error with a code derives from CodedError', () => {
    const own = sources.filter((file) => ownCode.test(textOf(file)))
    // The base itself; and broken invariants, which are no operational errors.
    expect(own).toEqual(['protocol/runtime/assert.ts', 'protocol/runtime/codedError.ts'])
  })

  test('no test is skipped or focused unconditionally', () => {
    const tests = files.filter((file) => file.endsWith('.test.ts'))
    expect(tests.filter((file) => skipped.test(textOf(file)))).toEqual([])
  })

  test('the rules bite', () => {
    expect(opening.test(withoutShebang('#!/usr/bin/env node\nimport x\n'))).toBe(false)
    expect(opening.test(withoutShebang('#!/usr/bin/env node\n// The door.\n'))).toBe(true)
    expect(linesOf('x\n'.repeat(mostLines))).toBe(mostLines)
    expect(vagueName.test('broker/log/utils.ts')).toBe(true)
    expect(vagueName.test('broker/helpers/x.ts')).toBe(true)
    expect(vagueName.test('broker/log/offsetIndex.ts')).toBe(false)
    expect(ownCode.test("class X extends Error {\n  readonly code = 'X'\n}")).toBe(true)
    expect(skipped.test(`test${'.only'}('x', f)`)).toBe(true)
    expect(skipped.test("test.skipIf(!hasKafka)('x', f)")).toBe(false)
  })
})

function withoutShebang(text: string): string {
  return text.replace(/^#!.*\n/, '')
}

function linesOf(text: string): number {
  return text.split('\n').length - 1
}
