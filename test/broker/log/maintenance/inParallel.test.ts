// Work on many items in parallel, some of which fails.

import { expect, test } from 'vitest'
import { inParallel } from '../../../../broker/log/maintenance/inParallel.ts'

test('work on every item continues after a failure, and has ended when that is thrown', async () => {
  const done: number[] = []
  let running = 0
  const work = async (item: number) => {
    running++
    expect(running).toBeLessThanOrEqual(3)
    for (let turn = 0; turn < item; turn++) await Promise.resolve()
    running--
    if (item === 2 || item === 5) throw new Error(`item ${item}`)
    done.push(item)
  }
  await expect(inParallel([2, 9, 7, 5, 1, 8], work, 3)).rejects.toThrow('item 2')
  expect(running).toBe(0)
  expect(done.sort()).toEqual([1, 7, 8, 9])
  await inParallel([], work)
})
