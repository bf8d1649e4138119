// What the options of `millrace job rewind` mean, and which do not go together.

import { expect, test } from 'vitest'
import { parseAddress, parseBootstrap } from '../../engine/addresses.ts'
import { parseRewind, type RewindOptions } from '../../engine/rewindCommand.ts'

const base = { directory: '/jobs/words', bootstrap: '127.0.0.1:9092' }
const targetOf = (options: Partial<RewindOptions>) =>
  parseRewind({ ...base, resetState: true, ...options }).target

test('back to a batch, a time or offsets', () => {
  expect(parseRewind({ ...base, toBatch: 0 })).toEqual({
    ...base,
    ...{ target: { kind: 'batch', batchId: 0 }, state: undefined },
  })
  const timeMs = Date.UTC(2026, 0, 31, 12)
  for (const toTime of ['2026-01-31T12:00:00Z', '2026-01-31T12:00', '2026-01-31T13:00+01:00']) {
    expect(targetOf({ toTime })).toEqual({ kind: 'time', timeMs })
  }
  expect(targetOf({ toTime: String(timeMs) })).toEqual({ kind: 'time', timeMs })
  expect(targetOf({ toOffsets: 'orders:0=5, orders:1=0' })).toEqual({
    kind: 'offsets',
    offsets: [
      { topic: 'orders', partition: 0, offset: 5 },
      { topic: 'orders', partition: 1, offset: 0 },
    ],
  })
})

test.each([
  [{}, /one of --to-batch, --to-time and --to-offsets/],
  [{ toBatch: 1, toTime: '2026-01-31' }, /one of/],
  [{ toTime: 'yesterday', keepState: true }, /'yesterday' is no time/],
  [{ toTime: '2026-13-31', keepState: true }, /is no time/],
  [{ toOffsets: 'orders=5', keepState: true }, /'orders=5' is no offset/],
  [{ toOffsets: 'a:0=1,a:0=2', keepState: true }, /a partition twice/],
  [{ toOffsets: 'a:0=1' }, /--reset-state .* --keep-state/],
  [{ toBatch: 1, resetState: true, keepState: true }, /not both/],
] as const)('%j is refused', (options, message) => {
  expect(() => parseRewind({ ...base, ...options })).toThrow(message)
})

test('addresses: of brokers, and of the job itself, which may take a free port', () => {
  expect(parseBootstrap('a:1, [::1]:2')).toEqual([
    { host: 'a', port: 1 },
    { host: '::1', port: 2 },
  ])
  expect(parseAddress('--listen', '127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 })
  for (const wrong of ['', 'a', 'a:0', 'a:70000', 'a:b']) {
    expect(() => parseBootstrap(wrong), wrong).toThrow(/not the address of a broker/)
  }
  expect(() => parseAddress('--listen', '8080')).toThrow(/--listen 8080 is not an address/)
})
