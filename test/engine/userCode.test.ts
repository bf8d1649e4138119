// Errors for the author of a job, when a function of the job throws.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EngineError, errorOf, reportError } from '../../engine/engineError.ts'
import { excerpt, failedAtKey, failedAtRecord, withUserFrame } from '../../engine/userCode.ts'

/** C0 and C1 controls, line separators and direction marks. */
function isControl(character: string): boolean {
  const code = character.codePointAt(0)!
  const ranges = [
    [0, 0x1f],
    [0x7f, 0x9f],
    [0x2028, 0x202e],
    [0x2066, 0x2069],
  ] as const
  return ranges.some(([first, last]) => code >= first && code <= last)
}

const place = { topic: 'lines', partition: 3, offset: 17 }

describe('a message', () => {
  test('names record and line, and contains the value only where values may be shown', () => {
    const error = failedAtRecord(new RangeError('too old'), {
      ...place,
      value: Buffer.from('{"age":-1}'),
    })
    expect(error.message).toMatch(
      /^RangeError: too old \(\/.*userCode\.test\.ts:\d+:\d+\) at lines-3 offset 17, value "\{\\"age\\":-1\}"$/,
    )
    expect(error.publicMessage).toMatch(/at lines-3 offset 17$/)
  })

  test('describes a thrown value that is not an error', () => {
    const thrown = { toString: () => 'stop\u001b[31m' }
    expect(failedAtRecord(thrown, { ...place, value: undefined }).message).toBe(
      '"stop\\u001b[31m" was thrown at lines-3 offset 17',
    )
    const unprintable = Object.create(null)
    expect(failedAtKey(unprintable, "updateStateByKey 'a'", 'k').message).toBe(
      'a value that cannot be printed was thrown in updateStateByKey \'a\', at key "k"',
    )
  })

  test('is on one line, short, and without control characters, whatever the value is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        const shown = excerpt(text)
        expect(shown.length).toBeLessThan(1300)
        expect(Array.from(shown).filter(isControl)).toEqual([])
        if (text.length <= 200) expect(JSON.parse(shown)).toBe(text)
      }),
    )
    const bytes = Buffer.alloc(100_000, 0xff)
    expect(failedAtRecord(new Error('e'), { ...place, value: bytes }).message).toMatch(
      /value "\ufffd{200}"\.\.\. \(100000 in all\)$/,
    )
  })
})

test('errors outside user code are unchanged', () => {
  const ours = new Error('ours')
  ours.stack = 'Error: ours\n    at f (node:internal/x:1:1)'
  expect(withUserFrame(ours)).toBe(ours)
  expect(withUserFrame('text')).toBe('text')
  expect(withUserFrame(new Error('theirs'))).toMatchObject({
    code: 'USER_CODE_FAILED',
    message: expect.stringMatching(/^Error: theirs \(.*userCode\.test\.ts/),
  })
})

test('a report carries the causes across threads, with their stacks, and ends at a cycle', () => {
  const root = new TypeError('root')
  const cause = new Error('middle', { cause: root })
  const failed = failedAtRecord(cause, { ...place, value: Buffer.from('v') })
  const arrived: EngineError = errorOf(structuredClone(reportError(failed)))
  expect(arrived).toMatchObject({
    code: 'USER_CODE_FAILED',
    message: failed.message,
    publicMessage: failed.publicMessage,
    cause: {
      message: 'middle',
      stack: cause.stack,
      cause: { name: 'TypeError', stack: root.stack },
    },
  })
  root.cause = failed
  expect(errorOf(reportError(failed)).message).toBe(failed.message)
})
