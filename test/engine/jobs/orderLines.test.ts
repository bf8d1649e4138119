import { describe, expect, it } from 'vitest'
import {
  looksLikeOrders,
  maxOrderLineBytes,
  OrderLines,
  orderColumns,
} from '../../../engine/jobs/orderLines.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

const sample = 200_000

function generate(seed: number, count: number): string[][] {
  const bytes = Buffer.alloc(count * maxOrderLineBytes)
  const end = new OrderLines(seededRandom(seed)).fill(bytes, 0, count)
  const text = bytes.toString('latin1', 0, end)
  expect(text.endsWith('\n')).toBe(true)
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => line.split(','))
}

describe('OrderLines', () => {
  const lines = generate(1, sample)
  const column = (name: (typeof orderColumns)[number]) => orderColumns.indexOf(name)
  const [user, item, seller] = [column('user_id'), column('item_id'), column('seller_id')]
  const [action, age, gender] = [column('action_type'), column('age_range'), column('gender')]

  it('returns the requested number of whole lines, with all columns', () => {
    expect(lines).toHaveLength(sample)
    const plausible = /^\d+(,\d+){4},1111,[0-3],[0-8]?,[0-2]?$/
    expect(lines.every((line) => plausible.test(line.join(',')))).toBe(true)
    expect(OrderLines.header.toString()).toBe(`${orderColumns.join(',')}\n`)
  })

  it('keeps the proportions of the original file', () => {
    // Reference counts of the original file: shared/data/README.md of the project's input.
    const purchases = lines.filter((line) => line[action] === '2')
    expectShare(purchases.length / sample, 13_346 / 108_089)
    const known: readonly [number, string, number][] = [
      [gender, '0', 9_255],
      [gender, '1', 3_604],
      [gender, '2', 325],
      [gender, '', 162],
      [age, '3', 3_564],
      [age, '0', 2_758],
      [age, '4', 2_750],
      [age, '2', 1_431],
      [age, '5', 1_349],
      [age, '6', 1_229],
      [age, '7', 174],
      [age, '', 52],
      [age, '8', 39],
    ]
    for (const [at, value, count] of known) {
      const found = purchases.filter((line) => line[at] === value).length
      expectShare(found / purchases.length, count / 13_346, purchases.length)
    }
  })

  it('gives a user one age range and gender, and an item one seller', () => {
    expect(mostValuesPer(lines, user, (line) => `${line[age]} ${line[gender]}`)).toBe(1)
    expect(mostValuesPer(lines, item, (line) => line[seller]!)).toBe(1)
    expect(new Set(lines.map((line) => line[user])).size).toBeGreaterThan(5_000)
    expect(new Set(lines.map((line) => line[item])).size).toBeGreaterThan(15_000)
  })

  it('is deterministic for a seed', () => {
    expect(generate(5, 100)).toEqual(generate(5, 100))
    expect(generate(5, 100)).not.toEqual(generate(6, 100))
  })

  it('is a source of a line feed', async () => {
    const { bytes, count } = await new OrderLines(seededRandom(1)).next(10)
    expect(count).toBe(10)
    expect(bytes.toString('latin1').split('\n')).toHaveLength(11)
  })
})

/** Expects a share within five standard deviations for a sample of this size. */
function expectShare(found: number, expected: number, size = sample): void {
  const deviation = Math.sqrt((expected * (1 - expected)) / size)
  expect(Math.abs(found - expected)).toBeLessThan(5 * deviation)
}

function mostValuesPer(
  lines: readonly string[][],
  key: number,
  value: (line: readonly string[]) => string,
): number {
  const values = new Map<string, Set<string>>()
  for (const line of lines) {
    const known = values.get(line[key]!) ?? new Set()
    values.set(line[key]!, known.add(value(line)))
  }
  return Math.max(...[...values.values()].map((set) => set.size))
}

it('orders are distinguished from other lines', async () => {
  const { bytes } = await new OrderLines(seededRandom(3)).next(5)
  const header = OrderLines.header.toString()
  expect(looksLikeOrders(`${header}${bytes.toString('latin1')}`)).toBe(true)
  const windows = '1,2,3,4,5,1111,2,3,0\r\n'
  for (const other of [
    header,
    windows,
    '127.0.0.1 - - [1/Jan] "GET /"\n',
    '1,2,3,4,5,6,buy,8,9\n',
    '',
  ]) {
    expect(looksLikeOrders(other), other).toBe(false)
  }
})
