// The formats of log lines; untrusted text cannot move a terminal's cursor.

import { expect, test } from 'vitest'
import { jsonFormat, prettyFormat } from '../../../../protocol/telemetry/logging/logFormat.ts'
import { pinoLogger } from '../../../../protocol/telemetry/logging/logger.ts'

/** Escape, C1's control sequence introducer, and a mark that reverses the direction of text. */
const evil = '\u001b[2J\u009b2J\u202egnp.exe\u0007'
const control = /[\p{Cc}\u2028-\u202e]/u

function logged(format: (line: string) => string, fields: object, message: string): string {
  let text = ''
  const write = (line: string) => {
    text += format(line)
  }
  pinoLogger('debug', { write }).warn(fields, message)
  return text
}

test('JSON escapes harmful characters without changing the value', () => {
  const line = logged(jsonFormat, { topic: evil }, `unknown topic ${evil}`)
  expect(line.trimEnd()).not.toMatch(control)
  expect(JSON.parse(line)).toMatchObject({ topic: evil, msg: `unknown topic ${evil}` })
})

test('a pretty line is one line with its fields, and nothing in it is a control character', async () => {
  const format = await prettyFormat(false)
  const line = logged(format, { topic: evil, nested: [{ [evil]: evil }] }, `unknown topic ${evil}`)
  expect(line).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: unknown topic .*"topic"/)
  expect(line.trimEnd()).not.toMatch(control)
  expect(line.match(/\n/g)).toHaveLength(1)
})

test('text cannot imitate another log line', async () => {
  const format = await prettyFormat(false)
  const line = logged(format, {}, 'one\n[10:00:00.000] INFO: broker stopped')
  expect(line).toMatch(/one\n {4}\[10:00/)
})

test('an error is shown with its stack', async () => {
  const format = await prettyFormat(false)
  const line = logged(format, { error: new TypeError('no such thing') }, 'failed')
  expect(line).toMatch(/WARN: failed[\s\S]*no such thing[\s\S]*at /)
})

test('input that is not JSON is shown unchanged', async () => {
  const format = await prettyFormat(false)
  expect(format('(3 older messages left out)\n')).toContain('(3 older messages left out)')
})
