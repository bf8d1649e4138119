// Pairs of job versions, both of which are run: the first for some batches, then the second from
// there. If the job continues, every view of every batch matches plain code; otherwise the job is
// refused.

import { describe, expect, test } from 'vitest'
import { compareCode, jobChanged } from '../../../engine/contract/codeChange.ts'
import type { Job } from '../../../engine/engine.ts'
import { StreamGraph } from '../../../engine/stream/streamGraph.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { StreamHarness } from '../stream/streamHarness.ts'
import { type JobPair, jobPairs, type PlainVisit, visitOf } from './jobPairs.ts'

const batches = 6

function operatorsOf(job: Job) {
  return new StreamGraph(job, { batchIntervalMs: 1000 }).operators
}

function compared({ before, after }: JobPair, stateUids: readonly string[]) {
  return compareCode({
    before: { code: 'before', operators: operatorsOf(before) },
    now: { code: 'after', operators: operatorsOf(after) },
    stateUids,
  })
}

/** The lines of six batches, the same in each run. */
function linesOf(seed: number): string[][] {
  const random = seededRandom(seed)
  const pick = (words: readonly string[]) => words[random.below(words.length)]!
  const line = () => `${pick(['anna', 'ben', 'cleo'])} ${pick(['buy', 'view'])} ${random.below(50)}`
  return Array.from({ length: batches }, () => Array.from({ length: random.below(9) }, line))
}

describe('continues exactly', () => {
  test.each(jobPairs.filter(({ refused }) => refused === undefined))('$what', async (pair) => {
    for (let switchAt = 1; switchAt < batches; switchAt++) {
      const { before, after, plain, added = [], removed = [], moved = [] } = pair
      const lines = linesOf(switchAt)
      await using harness = await StreamHarness.start(before)
      const visits: PlainVisit[] = []
      for (let batch = 0; batch < batches; batch++) {
        if (batch === switchAt) {
          const change = compared(pair, [...harness.stateUids()])
          expect(change).toEqual({ kind: 'continue', added, removed, moved, stale: [] })
          await harness.restart(after, moved)
        }
        const version = batch < switchAt ? 1 : 2
        visits.push(...lines[batch]!.map((line) => ({ ...visitOf(line), version, batch }) as const))
        const views = await harness.batch(lines[batch]!)
        if (version === 1) continue
        const shown = [...views].map(([view, rows]) => [view, Object.fromEntries(rows as [])])
        expect(Object.fromEntries(shown)).toEqual(plain!(visits, batch))
      }
    }
  })
})

describe('is refused', () => {
  test.each(jobPairs.filter(({ refused }) => refused !== undefined))('$what', (pair) => {
    const change = compared(
      pair,
      operatorsOf(pair.before).map(({ uid }) => uid),
    )
    expect(change.kind).toBe('refused')
    const { message } = jobChanged('visits', (change as { problems: readonly string[] }).problems)
    for (const words of pair.refused!) expect(message).toContain(words)
  })
})

test('there are at least twenty pairs of each outcome', () => {
  const refused = jobPairs.filter((pair) => pair.refused !== undefined).length
  expect(jobPairs.length).toBeGreaterThanOrEqual(20)
  expect(refused).toBeGreaterThanOrEqual(8)
  expect(jobPairs.length - refused).toBeGreaterThanOrEqual(8)
})
