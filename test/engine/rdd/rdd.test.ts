// The operators of RDDs against the same operations on plain arrays.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Key } from '../../../engine/keys/key.ts'
import { localContext } from '../../../engine/rdd/localContext.ts'
import type { Rdd } from '../../../engine/rdd/rdd.ts'

const keys = fc.constantFrom<Key>('a', 'b', '', '1', 1, -1, 0, 2 ** 40, 0.5, true, false, null)
const pairs = fc.array(fc.tuple(keys, fc.integer({ min: -9, max: 9 })), { maxLength: 40 })
const partitions = fc.integer({ min: 1, max: 5 })

function grouped<V>(elements: readonly (readonly [Key, V])[]): Map<Key, V[]> {
  const groups = new Map<Key, V[]>()
  for (const [key, value] of elements) groups.set(key, [...(groups.get(key) ?? []), value])
  return groups
}

function total(values: readonly number[]): number {
  return values.reduce((left, right) => left + right, 0)
}

/** Sorts entries: no order is promised between keys. */
function sorted(elements: readonly unknown[]): string[] {
  return elements.map((element) => JSON.stringify(element)).sort()
}

async function perPartition<T>(rdd: Rdd<T>): Promise<(readonly T[])[]> {
  return await rdd.mapPartitions((elements) => [elements]).collect()
}

describe('any size', () => {
  test('a chain of any length does not overflow the stack', async () => {
    const numbers = [3, 1, 2, 5]
    let rdd = localContext().parallelize(numbers, 2)
    const steps = 20_000
    for (let step = 0; step < steps; step++) {
      if (step % 1000 === 999) rdd = rdd.flatMap((n) => (n > 1e9 ? [] : [n]))
      else if (step % 1000 === 499) rdd = rdd.filter((n) => n % 2 !== 0 || n < 1e9)
      else rdd = rdd.map((n) => n + 1)
    }
    const maps = steps - (2 * steps) / 1000
    expect(await rdd.collect()).toEqual(numbers.map((n) => n + maps))
    expect(await rdd.take(1)).toEqual([3 + maps])
    const pairs = rdd.map((n) => [n % 2, n] as const).reduceByKey((one, other) => one + other)
    expect(await pairs.count()).toBe(2)
  })

  test('a split chain gives the same results as a nested one, in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(20)),
        fc.array(fc.constantFrom('map', 'filter', 'flatMap'), { maxLength: 9 }),
        async (numbers, operators) => {
          let rdd = localContext().parallelize(numbers, 2)
          let expected = numbers
          for (const operator of operators) {
            // At least 499 steps without an effect in between, so that a chain is split everywhere.
            for (let step = 0; step < 166; step++) rdd = rdd.map((n) => n)
            const twice = (n: number) => [n, n + 1]
            const isSmall = (n: number) => n % 3 !== 0
            if (operator === 'map') rdd = rdd.map((n) => n * 2)
            else if (operator === 'filter') rdd = rdd.filter(isSmall)
            else rdd = rdd.flatMap(twice)
            if (operator === 'map') expected = expected.map((n) => n * 2)
            else if (operator === 'filter') expected = expected.filter(isSmall)
            else expected = expected.flatMap(twice)
          }
          expect(await rdd.collect()).toEqual(expected)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('nesting that cannot be split is refused with advice', () => {
    const context = localContext()
    let all = context.parallelize([0], 1)
    const nest = () => {
      for (let at = 0; at < 1000; at++) all = all.union(context.parallelize([at], 1))
    }
    expect(nest).toThrow(/union nests more than 500 operators; unite many RDDs in one union/)
  })

  test('handles more elements than a call has arguments', async () => {
    const numbers = Array.from({ length: 300_000 }, (_, at) => at)
    const taken = await localContext().parallelize(numbers, 3).take(299_999)
    expect(taken.length).toBe(299_999)
    expect(taken.at(-1)).toBe(299_998)
  })

  test('take computes no more elements than it returns', async () => {
    let computed = 0
    const rdd = localContext()
      .parallelize([1, 2, 3, 4, 5, 6, 7, 8], 1)
      .map((n) => {
        computed++
        return n
      })
      .filter((n) => n % 2 === 0)
    expect(await rdd.take(2)).toEqual([2, 4])
    expect(computed).toBe(4)
    expect(await rdd.first()).toBe(2)
    expect(await rdd.take(0)).toEqual([])
    expect(computed).toBe(6)
  })
})

describe('narrow operators', () => {
  test('match arrays, and keep the order of elements', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer()), partitions, async (numbers, count) => {
        const rdd = localContext().parallelize(numbers, count)
        const isEven = (number: number) => number % 2 === 0
        expect(await rdd.collect()).toEqual(numbers)
        expect(await rdd.map((number) => -number).collect()).toEqual(numbers.map((n) => -n))
        expect(await rdd.filter(isEven).collect()).toEqual(numbers.filter(isEven))
        expect(await rdd.flatMap((n) => new Set([n, 0])).collect()).toEqual(
          numbers.flatMap((n) => [...new Set([n, 0])]),
        )
        expect(await rdd.union(rdd).collect()).toEqual([...numbers, ...numbers])
        expect(await rdd.count()).toBe(numbers.length)
        expect(await rdd.reduce(Math.max)).toBe(
          numbers.length === 0 ? undefined : Math.max(...numbers),
        )
      }),
    )
  })

  test('take returns the first elements and runs no more partitions than necessary', async () => {
    const ran: number[] = []
    const rdd = localContext()
      .fromPartitions([[], [1, 2], [3], [4], [5], [6], [7], [8]])
      .mapPartitions((elements, partition) => {
        ran.push(partition)
        return elements
      })
    expect(await rdd.take(2)).toEqual([1, 2])
    expect(ran).toEqual([0, 1, 2, 3, 4])
    expect(await rdd.take(100)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(await rdd.first()).toBe(1)
    expect(await localContext().parallelize([]).first()).toBeUndefined()
  })

  test('nothing is computed before an action', async () => {
    let calls = 0
    const rdd = localContext()
      .parallelize([1, 2, 3])
      .map(() => calls++)
    expect(calls).toBe(0)
    await rdd.count()
    expect(calls).toBe(3)
  })
})

describe('keyed operators', () => {
  test('reduceByKey equals grouping and summing', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, partitions, partitions, async (elements, from, to) => {
        const rdd = localContext().parallelize(elements, from)
        const reduced = await rdd.reduceByKey((left, right) => left + right, to).collect()
        const expected = [...grouped(elements)].map(([key, values]) => [key, total(values)])
        expect(sorted(reduced)).toEqual(sorted(expected))
      }),
    )
  })

  test('groupByKey keeps the order of the values of a key', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, partitions, partitions, async (elements, from, to) => {
        const rdd = localContext().parallelize(elements, from)
        const groups = await rdd.groupByKey(to).collect()
        expect(sorted(groups)).toEqual(sorted([...grouped(elements)]))
      }),
    )
  })

  test('join has every pair of values of a key, cogroup has both lists', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, pairs, partitions, partitions, async (left, right, from, to) => {
        const context = localContext()
        const one = context.parallelize(left, from)
        const other = context.parallelize(right, to)
        const joined = left.flatMap(([key, value]) =>
          right.filter(([same]) => same === key).map((pair) => [key, [value, pair[1]]]),
        )
        expect(sorted(await one.join(other).collect())).toEqual(sorted(joined))
        const [ones, others] = [grouped(left), grouped(right)]
        const all = new Set([...ones.keys(), ...others.keys()])
        const both = [...all].map((key) => [key, [ones.get(key) ?? [], others.get(key) ?? []]])
        expect(sorted(await one.cogroup(other).collect())).toEqual(sorted(both))
      }),
    )
  })

  test('each key is in one partition, the same for all RDDs with equal partitioners', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, pairs, partitions, async (left, right, count) => {
        const context = localContext()
        const place = async (elements: (readonly [Key, number])[]) => {
          const reduced = context.parallelize(elements, 3).reduceByKey(Math.max, count)
          const found = await perPartition(reduced.keys())
          return new Map(found.flatMap((within, at) => within.map((key) => [key, at] as const)))
        }
        const [one, other] = [await place(left), await place(right)]
        expect(one.size).toBe(grouped(left).size)
        for (const [key, at] of one) if (other.has(key)) expect(other.get(key)).toBe(at)
      }),
    )
  })

  test('data that is already partitioned by key is not shuffled again', () => {
    const reduced = localContext()
      .parallelize([['a', 1] as const])
      .reduceByKey(Math.max, 3)
    const kinds = (rdd: Rdd<unknown>) => rdd.dependencies.map(({ kind }) => kind)
    expect(kinds(reduced)).toEqual(['shuffle'])
    expect(kinds(reduced.mapValues((value) => value * 2).groupByKey())).toEqual(['narrow'])
    expect(kinds(reduced.join(reduced))).toEqual(['narrow', 'narrow'])
    const overlaid = reduced.union(reduced.filter(([key]) => key !== 'a'))
    expect(overlaid.partitionCount).toBe(3)
    expect(kinds(overlaid.reduceByKey(Math.max))).toEqual(['narrow'])
    expect(kinds(reduced.map((pair) => pair).reduceByKey(Math.max))).toEqual(['shuffle'])
    expect(kinds(reduced.groupByKey(2))).toEqual(['shuffle'])
  })

  test('reducing within partitions after a union equals reducing all elements', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(pairs, { minLength: 1, maxLength: 4 }), async (batches) => {
        const context = localContext(3)
        const add = (left: number, right: number) => left + right
        const [first, ...rest] = batches.map((batch) => context.parallelize(batch).reduceByKey(add))
        const window = first!.union(...rest).reduceByKey(add)
        const expected = [...grouped(batches.flat())].map(([key, values]) => [key, total(values)])
        expect(sorted(await window.collect())).toEqual(sorted(expected))
      }),
    )
  })
})
