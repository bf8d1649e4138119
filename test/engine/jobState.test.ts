// Requests for the states of a job that runs, whose batches go on meanwhile.

import { expect, test } from 'vitest'
import { EngineError } from '../../engine/engineError.ts'
import type { StateQuery } from '../../engine/executor/task.ts'
import { queryState } from '../../engine/jobState.ts'

const totals = { uid: 'totals', isNamed: true, kind: 'test', shape: '', codec: 'v8' }

/** A job with a batch after each query, whose state goes back by one batch and no further. */
function fastJob(partitions: number, queriesPerBatch: number) {
  let queries = 0
  const committed = () => Math.floor(queries / queriesPerBatch)
  return {
    asked: () => queries,
    options: {
      ...{ operators: [totals], partitions, committed },
      query: async ({ partition, batchId }: StateQuery) => {
        queries++
        if (committed() > batchId + 1)
          throw new EngineError('STATE_QUERY_FAILED', 'can be read back to')
        const entries: [string, unknown][] = [[`n${partition}`, batchId]]
        return { entries, hasMore: false }
      },
    },
  }
}

test('one that batches have overtaken is asked again, as of a newer batch', async () => {
  let isSlow = true
  const job = fastJob(4, 4)
  const query = async (asked: StateQuery) => {
    if (asked.partition === 2 && isSlow) {
      isSlow = false
      for (let waited = 0; waited < 8; waited++) await job.options.query(asked).catch(() => {})
    }
    return await job.options.query(asked)
  }
  const page = await queryState({ ...job.options, query }, { operator: 'totals', limit: 10 })
  expect(page.batchId).toBe(2)
  expect(page.entries).toEqual([0, 1, 2, 3].map((key) => ({ key, value: 2 })))
})

test('one that is overtaken again and again fails in the end', async () => {
  const job = fastJob(4, 1)
  const request = { operator: 'totals', limit: 10 }
  await expect(queryState(job.options, request)).rejects.toThrow('can be read back to')
  expect(job.asked()).toBeLessThan(10)
})

test('one that fails for another reason is not asked again', async () => {
  let asked = 0
  const query = async () => {
    asked++
    throw new EngineError('STATE_QUERY_FAILED', 'no such thing')
  }
  const request = { operator: 'totals', keys: ['a'], limit: 1 }
  const options = { ...fastJob(1, 1).options, committed: () => 3, query }
  await expect(queryState(options, request)).rejects.toThrow('no such thing')
  expect(asked).toBe(1)
})

test.each(['4/n1', 'n1', '0/p5:n1'])(
  'a page after %s, which no page ends with, is refused',
  async (after) => {
    const job = fastJob(4, 1)
    const asked = queryState(job.options, { operator: 'totals', limit: 10, after })
    await expect(asked).rejects.toThrow(`'${after}' is not a position in the list`)
    expect(job.asked()).toBe(0)
  },
)
