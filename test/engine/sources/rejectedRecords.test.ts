// The rejected records of a batch, as the driver counts them: each record once, whichever tasks
// report it.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OffsetSet, offsetsOf } from '../../../engine/sources/offsetSet.ts'
import { RejectedRecords } from '../../../engine/sources/rejectedRecords.ts'
import type { RejectedRecord } from '../../../engine/sources/scan.ts'
import { mostSkippedTexts, TaskRejections } from '../../../engine/sources/taskRejections.ts'

function rejected(offset: number, more: Partial<RejectedRecord> = {}): RejectedRecord {
  const place = { topic: 't', partition: 0, offset, timestampMs: 5 }
  return { ...place, onError: 'skip', error: `at ${offset}`, ...more }
}

function letter(offset: number, bytes = 3, deadLetter = 'dead'): RejectedRecord {
  const record = { key: null, value: new Uint8Array(bytes), headers: [] }
  return rejected(offset, { onError: { deadLetter }, record })
}

function reportOf(...records: readonly RejectedRecord[]) {
  const task = new TaskRejections()
  for (const record of records) task.reject(record)
  return structuredClone(task.report())
}

describe('a set of offsets', () => {
  const offset = fc.oneof(
    fc.nat(40),
    fc.integer({ min: 8180, max: 8200 }),
    fc.maxSafeInteger().map(Math.abs),
  )

  test('behaves like a set, and a report has every offset', () => {
    fc.assert(
      fc.property(fc.array(offset), (offsets) => {
        const set = new OffsetSet()
        const model = new Set<number>()
        for (const each of offsets) {
          expect(set.add(each)).toBe(!model.has(each))
          model.add(each)
          expect(set.has(each)).toBe(true)
          expect(set.has(each + 1)).toBe(model.has(each + 1))
        }
        expect(set.size).toBe(model.size)
        const reported = set.report('t', 0).flatMap((piece) => [...offsetsOf(piece)])
        expect(new Set(reported)).toEqual(model)
        expect(reported).toHaveLength(model.size)
      }),
    )
  })

  test('of a million offsets takes one bit for each offset', () => {
    const set = new OffsetSet()
    for (let at = 0; at < 1_000_000; at++) set.add(7 + at)
    const bytes = set.report('t', 0).reduce((sum, { bits }) => sum + bits.length, 0)
    expect(bytes).toBeLessThan(130_000)
  })
})

describe('the rejected records of a batch', () => {
  test('count once, whichever of its tasks report them, and however many texts the tasks could store', () => {
    const records = new RejectedRecords()
    records.begin(0)
    const many = Array.from({ length: mostSkippedTexts + 500 }, (_, at) => rejected(at))
    const first = reportOf(...many)
    expect(first.rejected).toHaveLength(mostSkippedTexts)
    records.add(first)
    records.add(reportOf(...many.slice(1200), rejected(9000), rejected(3, { topic: 'other' })))
    records.add({})
    expect(records.total).toBe(mostSkippedTexts + 502)
    expect([...records.counts]).toEqual([
      ['t', mostSkippedTexts + 501],
      ['other', 1],
    ])
    expect(records.first.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(records.deadLetters).toEqual([])
  })

  test('go once to each of their dead letter topics', () => {
    const records = new RejectedRecords()
    records.begin(0)
    records.add(reportOf(letter(1), rejected(1), letter(1, 3, 'other'), letter(1)))
    records.add(reportOf(letter(1), letter(2)))
    expect(records.total).toBe(2)
    expect(records.deadLetters).toMatchObject([
      { offset: 1, onError: { deadLetter: 'dead' }, record: { value: new Uint8Array(3) } },
      { offset: 1, onError: { deadLetter: 'other' } },
      { offset: 2, onError: { deadLetter: 'dead' } },
    ])
  })

  test('count in the first batch that reports them, as long as windows include that batch', () => {
    const records = new RejectedRecords()
    records.begin(4, 4)
    records.add(reportOf(letter(1)))
    records.begin(5, 4)
    records.add(reportOf(letter(1), letter(2)))
    expect(records.total).toBe(1)
    expect(records.deadLetters.map(({ offset }) => offset)).toEqual([2])
    records.begin(5, 4)
    expect(records.total).toBe(0)
    records.add(reportOf(letter(2)))
    expect(records.total).toBe(1)
    records.begin(6, 6)
    records.add(reportOf(letter(1)))
    expect(records.total).toBe(1)
  })

  test('are limited in number when they must be stored', () => {
    const records = new RejectedRecords()
    records.begin(0)
    const addAll = () => {
      for (let at = 0; at < 9; at++) records.add(reportOf(letter(at, 8 * 1024 * 1024)))
    }
    expect(addAll).toThrow(expect.objectContaining({ code: 'REJECTED_TOO_MANY' }))
  })
})
