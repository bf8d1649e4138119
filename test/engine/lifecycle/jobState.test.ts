// Requests for the states of a running job, whose batches continue meanwhile.

import { expect, test } from 'vitest'
import { EngineError } from '../../../engine/engineError.ts'
import type { StateQuery } from '../../../engine/executor/task.ts'
import { queryState } from '../../../engine/lifecycle/jobState.ts'

const totals = { uid: 'totals', isNamed: true, kind: 'test', shape: '', codec: 'v8' }

/**
 * A job that commits a batch after `queriesPerBatch` queries, and can read only its newest two
 * batches.
 */
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

test('a request overtaken by batches is repeated as of a newer batch', async () => {
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

test('a request that is repeatedly overtaken fails eventually', async () => {
  const job = fastJob(4, 1)
  const request = { operator: 'totals', limit: 10 }
  await expect(queryState(job.options, request)).rejects.toThrow('can be read back to')
  expect(job.asked()).toBeLessThan(10)
})

test('a request that fails for another reason is not repeated', async () => {
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

test.each(['4/n1', 'n1', '0/p5:n1'])('an invalid position (%s) is refused', async (after) => {
  const job = fastJob(4, 1)
  const asked = queryState(job.options, { operator: 'totals', limit: 10, after })
  await expect(asked).rejects.toThrow(`'${after}' is not a position in the list`)
  expect(job.asked()).toBe(0)
})
