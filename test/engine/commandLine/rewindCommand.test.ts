// The options of `millrace job rewind`, and which of them exclude each other.

import { expect, test } from 'vitest'
import { parseAddress } from '../../../engine/address/addresses.ts'
import {
  parseTarget,
  type RewindArguments,
  requestsOf,
} from '../../../engine/commandLine/rewindCommand.ts'
import { parseBootstrap } from '../../../protocol/client/bootstrap.ts'

const targetOf = (options: Partial<RewindArguments>) => parseTarget(options)

test('a target is a batch, a time or offsets', () => {
  expect(targetOf({ toBatch: 0 })).toEqual({ kind: 'batch', batchId: 0 })
  const timeMs = Date.UTC(2026, 0, 31, 12)
  for (const toTime of ['2026-01-31T12:00:00Z', '2026-01-31T12:00', '2026-01-31T13:00+01:00']) {
    expect(targetOf({ toTime })).toEqual({ kind: 'time', timeMs })
  }
  expect(targetOf({ toTime: String(timeMs) })).toEqual({ kind: 'time', timeMs })
  const toOffsets = 'orders:0=5, orders:1=earliest,clicks=latest'
  expect(targetOf({ toOffsets })).toEqual({
    kind: 'places',
    places: [
      { topic: 'orders', partition: 0, at: 5 },
      { topic: 'orders', partition: 1, at: 'earliest' },
      { topic: 'clicks', at: 'latest' },
    ],
  })
  expect(targetOf({ toOffsets: 'earliest' })).toEqual({
    kind: 'places',
    places: [{ at: 'earliest' }],
  })
})

test.each([
  [{}, /one of --to-batch, --to-time and --to-offsets/],
  [{ toBatch: 1, toTime: '2026-01-31' }, /one of/],
  [{ toTime: 'yesterday' }, /invalid time 'yesterday'/],
  [{ toTime: '2026-13-31' }, /invalid time/],
  [{ toOffsets: 'orders=5' }, /invalid offset 'orders=5'/],
  [{ toOffsets: '5' }, /invalid offset '5'/],
  [{ toOffsets: 'orders:0=soon' }, /invalid offset 'orders:0=soon'/],
  [{ toOffsets: 'a:0=1,a:0=2' }, /a partition twice/],
] as const)('%j is refused', (options, message) => {
  expect(() => targetOf(options)).toThrow(message)
})

test('positions are allowed only in topics that the job reads', () => {
  const range = { partition: 0, from: 1, until: 2 }
  const ranges = [
    { ...range, topic: 'orders' },
    { ...range, topic: 'orders', partition: 1 },
    { ...range, topic: 'clicks' },
  ]
  expect(requestsOf([{ at: 'earliest' }], ranges)).toEqual([
    { topic: 'orders', at: 'earliest' },
    { topic: 'clicks', at: 'earliest' },
  ])
  expect(requestsOf([{ topic: 'clicks', at: 'latest' }], ranges)).toHaveLength(1)
  expect(() => requestsOf([{ topic: 'orers', partition: 0, at: 0 }], ranges)).toThrow(
    "the job does not read topic 'orers', only orders, clicks",
  )
})

test("addresses of brokers need a port; the job's own address may use a free port", () => {
  expect(parseBootstrap('a:1, [::1]:2')).toEqual([
    { host: 'a', port: 1 },
    { host: '::1', port: 2 },
  ])
  expect(parseAddress('--listen', '127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 })
  for (const wrong of ['', 'a', 'a:0', 'a:70000', 'a:b']) {
    expect(() => parseBootstrap(wrong), wrong).toThrow(/invalid broker address/)
  }
  expect(() => parseAddress('--listen', '8080')).toThrow(/--listen 8080 is not an address/)
})
