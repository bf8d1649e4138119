// Histories of a model log are right, and every kind of damage to one is found.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { damaged, damages } from './damage.ts'
import type { History } from './history.ts'
import { checkKafka } from './kafka.ts'
import { modelHistory } from './modelHistory.ts'

const options = { delivery: 'idempotent', isolation: 'read_committed' } as const

function forbidden(history: History): string[] {
  return checkKafka(history, options).forbidden.map(({ name, message }) => `${name}: ${message}`)
}

describe('histories of a model log', () => {
  test('a right log has no anomaly that Kafka does not allow', () => {
    const seeds = fc.integer({ min: 0, max: 2 ** 31 })
    const steps = fc.integer({ min: 50, max: 3000 })
    fc.assert(
      fc.property(seeds, steps, (seed, most) => {
        expect(forbidden(modelHistory(seededRandom(seed), most))).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  test('the same history has anomalies that Kafka allows', () => {
    const { counts } = checkKafka(modelHistory(seededRandom(1), 20_000), options)
    expect([...counts.keys()]).toEqual(
      expect.arrayContaining(['int-send-skip (allowed)', 'G0 (allowed)']),
    )
  })

  test.each(damages)('damage is found: $name', (damage) => {
    const missed: number[] = []
    let tried = 0
    for (let seed = 0; seed < 200 && tried < 25; seed++) {
      const random = seededRandom(seed)
      const history = damaged(modelHistory(random.fork('history'), 1000), damage, random)
      if (history === undefined) continue
      tried++
      const names = checkKafka(history, options).forbidden.map(({ name }) => name)
      if (!damage.causes.some((name) => names.includes(name))) missed.push(seed)
    }
    expect({ missed, isTriedOften: tried >= 20 }).toEqual({ missed: [], isTriedOften: true })
  })
})
