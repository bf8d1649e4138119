// Seeds on several workers: all of them run, and each worker takes more than one range.

import { expect, test } from 'vitest'
import { systems } from '../systems.ts'
import { runPool } from './seedPool.ts'

test('a worker runs range after range, until all seeds have run', {
  timeout: 120_000,
}, async () => {
  const [system] = systems
  const progress: number[] = []
  const tally = await runPool({
    ...{ systems: [system!.name], from: 0, seeds: 25, workers: 1 },
    onProgress: ({ seeds }) => progress.push(seeds),
  })
  expect(progress).toEqual([10, 20, 25])
  expect(tally.failures).toEqual([])
  expect(tally.events).toBeGreaterThan(1000)
  expect(tally.marks.get('a group was rebalanced')).toBeGreaterThan(0)
})
