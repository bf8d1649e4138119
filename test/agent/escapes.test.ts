// Escape sequences as Flume's user guide lists them, for one time in the time zone of the process.

import { expect, test } from 'vitest'
import { expandEscapes, hasEscapes, unknownEscapes } from '../../agent/escapes.ts'
import { testHost } from './component.ts'

const time = new Date(2026, 1, 3, 4, 5, 6)
const evening = new Date(2026, 11, 31, 23, 59, 59)

function expanded(text: string, headers: Record<string, string>, now = time): string {
  return expandEscapes(text, headers, { host: testHost, nowMs: now.getTime() })
}

test.each([
  ['%Y-%m-%d', '2026-02-03', '2026-12-31'],
  ['%y/%n/%e', '26/2/3', '26/12/31'],
  ['%H:%M:%S', '04:05:06', '23:59:59'],
  ['%I %l %k %p', '04 4 4 AM', '11 11 23 PM'],
  ['%a %A %b %B', 'Tue Tuesday Feb February', 'Thu Thursday Dec December'],
  ['%D %j', '02/03/26 034', '12/31/26 365'],
  ['%c', 'Tue Feb 3 04:05:06 2026', 'Thu Dec 31 23:59:59 2026'],
])('%s', (text, morning, night) => {
  const timestamp = String(time.getTime())
  expect(expanded(text, { timestamp }, evening)).toBe(morning)
  expect(expanded(text, {}, evening)).toBe(night)
  expect(expanded(text, { timestamp: 'noon' }, evening)).toBe(night)
})

test('the time as a number, and its zone', () => {
  expect(expanded('%t %s', { timestamp: '1234567' })).toBe('1234567 1234')
  expect(expanded('%z', {})).toMatch(/^[+-]\d{4}$/)
})

test('headers and the host; a header that the event lacks is empty', () => {
  expect(expanded('a-%{x.y}-%{none}%%', { 'x.y': 'b' })).toBe('a-b-%')
  expect(expanded('%[localhost] %[IP] %[fqdn]', {})).toBe('host 10.0.0.1 host.example')
})

test('escape sequences are found, and unknown ones are reported', () => {
  expect(hasEscapes('50%-off')).toBe(false)
  expect(hasEscapes('orders-%Y')).toBe(true)
  expect(unknownEscapes('%Y %Q %{x} %[ip] %[moon] %%')).toEqual(['%Q', '%[moon]'])
})
