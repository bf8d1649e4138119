import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeStatus,
  encodeStatus,
  maxStatusBytes,
  maxViewRows,
  type Status,
  StatusError,
} from '../../../../protocol/telemetry/status/status.ts'

const text = fc.string({ maxLength: 20 })
const count = fc.maxSafeNat()
// Adding 0 removes negative zero, which JSON cannot represent.
const figure = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)

const agent = fc.record({
  kind: fc.constant('agent' as const),
  id: text,
  timeMs: count,
  name: text,
  host: text,
  sources: fc.array(
    fc.record({ name: text, type: text, eventsReceived: count, eventsAccepted: count }),
  ),
  channels: fc.array(fc.record({ name: text, type: text, size: count, capacity: count })),
  sinks: fc.array(
    fc.record(
      { name: text, type: text, eventsDrained: count, topic: text },
      { requiredKeys: ['name', 'type', 'eventsDrained'] },
    ),
  ),
  bytesRead: count,
})

const job = fc.record({
  kind: fc.constant('job' as const),
  id: text,
  name: text,
  timeMs: count,
  state: fc.constantFrom('running' as const, 'stopped' as const, 'failed' as const),
  positions: fc.array(fc.record({ topic: text, partition: count, until: count })),
  topics: fc.array(text),
  batchIntervalMs: count,
  lagRecords: count,
  recordsTotal: count,
  batches: fc.array(
    fc.record({
      id: count,
      timeMs: count,
      records: count,
      schedulingDelayMs: figure,
      processingTimeMs: figure,
      totalDelayMs: figure,
      latencyMs: figure,
    }),
  ),
  views: fc.array(
    fc.record({
      name: text,
      title: text,
      chart: fc.constantFrom('bar' as const, 'share' as const),
      batchId: fc.integer({ min: -1 }),
      offsets: fc.array(fc.record({ topic: text, partition: count, from: count, until: count })),
      rows: fc.array(fc.tuple(text, figure), { maxLength: 20 }),
    }),
    { maxLength: 4 },
  ),
})

const status: fc.Arbitrary<Status> = fc.oneof(agent, job)

describe('status', () => {
  it('decodes to what was encoded', () => {
    fc.assert(
      fc.property(status, (value) => {
        const record = encodeStatus(value)
        expect(record.key.toString()).toBe(value.id)
        expect(decodeStatus(record.value)).toEqual(value)
      }),
    )
  })

  it('refuses truncated values with a StatusError', () => {
    fc.assert(
      fc.property(status, fc.nat(), (value, at) => {
        const bytes = encodeStatus(value).value
        expect(() => decodeStatus(bytes.subarray(0, at % bytes.length))).toThrow(StatusError)
      }),
    )
  })

  it('refuses any other JSON with a StatusError', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(() => decodeStatus(Buffer.from(json))).toThrow(StatusError)
      }),
    )
  })

  it('names the invalid field', () => {
    const [value] = fc.sample(agent, 1)
    const bytes = Buffer.from(JSON.stringify({ ...value, bytesRead: -1 }))
    expect(() => decodeStatus(bytes)).toThrow('/bytesRead')
  })

  it('is bounded in size', () => {
    expect(() => decodeStatus(Buffer.alloc(maxStatusBytes + 1, 0x20))).toThrow(
      'exceed the limit of',
    )
    const [value] = fc.sample(job, 1)
    const row: [string, number] = ['key', 1]
    const rows = Array.from({ length: maxViewRows + 1 }, () => row)
    const view = { name: 'v', title: 'V', chart: 'bar' as const, batchId: 1, offsets: [], rows }
    expect(() => encodeStatus({ ...value!, views: [view] })).toThrow('/views/0/rows')
    const long = Array.from(
      { length: maxViewRows },
      () => ['k'.repeat(1000), 1] as [string, number],
    )
    expect(() => encodeStatus({ ...value!, views: [{ ...view, rows: long }] })).toThrow(
      'exceed the limit of',
    )
  })
})
