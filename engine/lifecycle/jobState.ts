// Reads the states of a running job as of the newest committed batch: values of given keys, or
// pages of all entries, partition by partition in the order of the stores.

import type { StatefulOperator } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { StateAnswer, StateQuery } from '../executor/task.ts'
import { decodeKey, encodeKey, partNamed } from '../keys/key.ts'
import { KeyGroupPartitioner } from '../keys/partitioner.ts'
import type { StatePage, StateRequest, StateValue } from './runningJob.ts'

export interface JobStateOptions {
  readonly operators: readonly StatefulOperator[]
  readonly partitions: number
  /** Id of the newest committed batch; -1 for none. */
  committed(): number
  query(query: StateQuery): Promise<StateAnswer>
}

/** Maximum keys in one request. */
const mostKeys = 1000
/** Maximum entries in one page. */
const mostEntries = 10_000

/** Attempts of one request, each as of the newest batch. */
const mostAttempts = 3

/** Rejects with an EngineError for an operator or a page that does not exist. */
export async function queryState(
  options: JobStateOptions,
  request: StateRequest,
): Promise<StatePage> {
  requireRequest(options, request)
  for (let attempt = 1; ; attempt++) {
    const batchId = options.committed()
    try {
      if (request.keys) return { batchId, entries: await valuesOf(options, request, batchId) }
      return await pageOf(options, request, batchId)
    } catch (error) {
      // A state can be read only a few batches back: fast batches overtake a request over many
      // partitions.
      if (attempt === mostAttempts || options.committed() === batchId) throw error
    }
  }
}

function requireRequest({ operators }: JobStateOptions, request: StateRequest): void {
  const { operator, keys = [], limit } = request
  if (!operators.some(({ uid }) => uid === operator)) {
    const uids = operators.map(({ uid }) => uid).join(', ')
    const known = uids === '' ? 'the job has no state' : `the job has ${uids}`
    throw failed(`state '${operator}' does not exist; ${known}`)
  }
  if (keys.length > mostKeys)
    throw failed(`a request has ${keys.length} keys; give at most ${mostKeys}`)
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= mostEntries) return
  throw failed(`the limit of a page must be 1 to ${mostEntries}, not ${limit}`)
}

async function valuesOf(
  { partitions, query }: JobStateOptions,
  { operator, keys = [] }: StateRequest,
  batchId: number,
): Promise<StateValue[]> {
  const partitioner = new KeyGroupPartitioner(partitions)
  const values = new Map<string, unknown>()
  const byPartition = Map.groupBy(keys, (key) => partitioner.partitionOf(key))
  for (const [partition, group] of byPartition) {
    let missing = group.map(encodeKey)
    // A response is limited in bytes: the remaining keys are requested again.
    while (missing.length > 0) {
      const limit = missing.length
      const { entries, hasMore } = await query({
        ...{ operator, partition, batchId, keys: missing, limit },
      })
      for (const [key, value] of entries) values.set(key, value)
      missing = hasMore ? missing.slice(missing.indexOf(entries.at(-1)![0]) + 1) : []
    }
  }
  return keys.map((key) => ({ key, value: values.get(encodeKey(key)) }))
}

async function pageOf(
  { partitions, query }: JobStateOptions,
  { operator, after, limit }: StateRequest,
  batchId: number,
): Promise<StatePage> {
  const found: StateValue[] = []
  let at = placeOf(after, partitions)
  for (;;) {
    const missing = limit - found.length
    const { entries, hasMore } = await query({
      ...{ operator, partition: at.partition, batchId, after: at.key, limit: missing },
    })
    for (const [key, value] of entries) found.push({ key: decodeKey(key), value })
    if (hasMore) {
      const last = entries.at(-1)![0]
      return { batchId, entries: found, after: `${at.partition}/${last}` }
    }
    if (at.partition + 1 === partitions) return { batchId, entries: found }
    at = { partition: at.partition + 1, key: undefined }
    if (found.length === limit) return { batchId, entries: found, after: `${at.partition}/` }
  }
}

interface Place {
  readonly partition: number
  /** The encoded key; undefined for the beginning of the partition. */
  readonly key: string | undefined
}

function placeOf(after: string | undefined, partitions: number): Place {
  if (after === undefined) return { partition: 0, key: undefined }
  const [, partition, key] = /^(\d{1,4})\/(.*)$/s.exec(after) ?? []
  if (partition === undefined || Number(partition) >= partitions || partNamed(key!)) {
    throw failed(
      `'${after.slice(0, 100)}' is not a position in the list; give the 'after' of the previous page`,
    )
  }
  return { partition: Number(partition), key: key === '' ? undefined : key }
}

function failed(message: string): EngineError {
  return new EngineError('STATE_QUERY_FAILED', message)
}
