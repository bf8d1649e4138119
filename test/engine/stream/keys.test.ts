// Keys that are easily confused, through shuffle, state, restart and query; and invalid keys.

import { expect, test } from 'vitest'
import { add, type Job, job, type Key } from '../../../engine/engine.ts'
import { decodeKey, encodeKey, hashKey } from '../../../engine/keys/key.ts'
import { StreamHarness } from './streamHarness.ts'

const keys: readonly Key[] = [
  ...[1, '1', 0, '0', '', ' ', null, 'null', 'z', true, 'true', 'bt', false, 'false', 'undefined'],
  ...[Number.NaN, 'NaN', Infinity, -Infinity, 1e21, '1e+21', 0.1, 2 ** 53, 2 ** 31, -(2 ** 31)],
  ...['\ud800', '\udfff', '\ufffd', '\0', 'a\0', 'a', 'é', 'e\u0301', '\u{1f600}', '__proto__'],
]

test('each key has its own count', async () => {
  const seen: Key[] = []
  const program = (partitions: number) =>
    job('keys', { partitions }, (stream) => {
      const ones = stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [keys[Number(line)]!, 1] as const)
      ones
        .reduceByKey((left, right) => left + right)
        .updateStateByKey(add, { uid: 'counts' })
        .foreachRDD(async (rdd) => {
          seen.push(...(await rdd.collect()).filter(([, count]) => count === 2).map(([key]) => key))
        })
    })
  for (const partitions of [1, 3]) {
    seen.length = 0
    await using harness = await StreamHarness.start(program(partitions))
    await harness.batch(keys.map((_, at) => String(at)))
    expect(seen).toEqual([])
    await harness.restart()
    await harness.batch(keys.map((_, at) => String(at)))
    expect(new Set(seen)).toEqual(new Set(keys))
    expect(seen).toHaveLength(keys.length)
  }
})

test('-0 is 0 everywhere', () => {
  expect(encodeKey(-0)).toBe(encodeKey(0))
  expect(Object.is(decodeKey(encodeKey(-0)), 0)).toBe(true)
})

// The compiler cannot check a key of type any: each of these values was once stored as the key
// `true` or `false`.
test.each([
  ['undefined', undefined, 'undefined'],
  ['an object', { id: 1 }, 'a value of type object'],
  ['a Date', new Date(0), 'a value of type object'],
  ['a bigint', 1n, 'a value of type bigint'],
])('%s is not a key', async (_name, key, shown) => {
  const message = `a key must be a string, a number, a boolean or null, not ${shown}`
  expect(() => encodeKey(key as never)).toThrow(message)
  expect(() => hashKey(key as never)).toThrow(message)
  const build = (partitions: number): Job =>
    job('no-key', { partitions }, (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map(() => [key as unknown as string, 1] as const)
        .updateStateByKey(add)
        .view('counts')
    })
  await using harness = await StreamHarness.start(build(2))
  await expect(harness.batch(['a'])).rejects.toThrow(message)
})
