// What the options of `millrace job rewind` mean, and which do not go together.

import { expect, test } from 'vitest'
import { parseAddress, parseBootstrap } from '../../engine/addresses.ts'
import { parseTarget, type RewindArguments } from '../../engine/rewindCommand.ts'

const targetOf = (options: Partial<RewindArguments>) =>
  parseTarget({ directory: '/jobs/words', ...options })

test('back to a batch, a time or offsets', () => {
  expect(targetOf({ toBatch: 0 })).toEqual({ kind: 'batch', batchId: 0 })
  const timeMs = Date.UTC(2026, 0, 31, 12)
  for (const toTime of ['2026-01-31T12:00:00Z', '2026-01-31T12:00', '2026-01-31T13:00+01:00']) {
    expect(targetOf({ toTime })).toEqual({ kind: 'time', timeMs })
  }
  expect(targetOf({ toTime: String(timeMs) })).toEqual({ kind: 'time', timeMs })
  expect(targetOf({ toOffsets: 'orders:0=5, orders:1=0' })).toEqual({
    kind: 'offsets',
    positions: [
      { topic: 'orders', partition: 0, offset: 5 },
      { topic: 'orders', partition: 1, offset: 0 },
    ],
  })
})

test.each([
  [{}, /one of --to-batch, --to-time and --to-offsets/],
  [{ toBatch: 1, toTime: '2026-01-31' }, /one of/],
  [{ toTime: 'yesterday' }, /'yesterday' is no time/],
  [{ toTime: '2026-13-31' }, /is no time/],
  [{ toOffsets: 'orders=5' }, /'orders=5' is no offset/],
  [{ toOffsets: 'a:0=1,a:0=2' }, /a partition twice/],
] as const)('%j is refused', (options, message) => {
  expect(() => targetOf(options)).toThrow(message)
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
