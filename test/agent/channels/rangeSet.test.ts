// Range sets against a plain Set of numbers, and a round trip of log records.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  framePrefixBytes,
  isHeadValid,
  readFramePrefix,
} from '../../../agent/channels/file/frame.ts'
import { readBatch, readRecord, writePut } from '../../../agent/channels/file/logRecord.ts'
import { RangeSet } from '../../../agent/channels/rangeSet.ts'
import { batchOf } from '../../../agent/event.ts'
import { ByteWriter } from '../../../protocol/bytes/writer.ts'

test('a range set is a set of numbers', () => {
  const operation = fc.record({
    kind: fc.constantFrom('add' as const, 'remove' as const, 'take' as const),
    from: fc.nat(30),
    length: fc.integer({ min: 1, max: 6 }),
  })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const set = new RangeSet()
      const model = new Set<number>()
      for (const { kind, from, length } of operations) {
        const numbers = Array.from({ length }, (_, n) => from + n)
        if (kind === 'add' && numbers.every((n) => !model.has(n))) {
          set.add({ from, until: from + length })
          for (const n of numbers) model.add(n)
        } else if (kind === 'remove' && numbers.every((n) => model.has(n))) {
          set.remove({ from, until: from + length })
          for (const n of numbers) model.delete(n)
        } else if (kind === 'take') {
          const taken = set.takeFirst(length, from + 1)
          const lowest = Math.min(...model)
          expect(taken?.from).toBe(lowest <= from ? lowest : undefined)
          for (let n = taken?.from ?? 0; n < (taken?.until ?? 0); n++) {
            expect(model.delete(n)).toBe(true)
          }
        }
        const held = set.ranges.flatMap((r) =>
          Array.from({ length: r.until - r.from }, (_, n) => r.from + n),
        )
        expect(held).toEqual([...model].sort((a, b) => a - b))
        expect(set.size).toBe(model.size)
      }
    }),
  )
})

test('a put record is read as it was written', () => {
  const headers = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true })
  const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(bodies, headers, fc.option(headers), fc.nat(), (bodies, shared, own, from) => {
      const eventHeaders =
        own === null ? undefined : bodies.map((_, n) => (n % 2 ? own : undefined))
      const batch = batchOf(bodies, shared, eventHeaders)
      const range = { from, until: from + bodies.length }
      const writer = new ByteWriter()
      const body = writePut(writer, { range, batch, position: undefined, putMs: 0 }, from, true)
      const bytes = Buffer.concat([writer.written(), body])
      const prefix = readFramePrefix(bytes, 0)!
      expect(isHeadValid(bytes, 0, prefix)).toBe(true)
      const bodyAt = framePrefixBytes + prefix.headBytes
      const head = bytes.subarray(framePrefixBytes, bodyAt)
      const record = readRecord(head)
      if (record.type !== 'put') throw new Error('it is a put')
      expect(record).toMatchObject({ isLast: true, range })
      const read = readBatch(head, record, bytes, bodyAt)
      for (let n = 0; n < bodies.length; n++) {
        expect(read.body(n).equals(bodies[n]!)).toBe(true)
        expect(read.headersOf(n)).toEqual(batch.headersOf(n))
      }
    }),
  )
})
