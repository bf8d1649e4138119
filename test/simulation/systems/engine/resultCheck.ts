// Compares what the job has made with plain code over the records of its topic: every record counts
// exactly once, in one batch, in the state and in each output.

import { type BatchRows, endOfWindow, parsed, type Row, summed, windowed } from './countingJob.ts'
import type { Database } from './database.ts'

export type Violate = (name: string, message: string) => void

export interface Results {
  /** Lines of the topic, as a plain reader sees them. */
  readonly lines: readonly string[]
  readonly database: Database
  readonly totals: ReadonlyMap<unknown, unknown>
  readonly lateRows: number
  /** Of the topic. */
  readonly partitions: number
}

export function checkResults(results: Results, violate: Violate): void {
  const rows = results.lines.map(parsed)
  checkRecords(results, rows, violate)
  checkBatches(results, rows, violate)
  const expected = textOf(summed(rows))
  const totals = textOf(results.totals)
  if (totals !== expected) violate('wrong state', `totals ${totals}, expected ${expected}`)
  checkWindows(results, rows, violate)
  if (results.lateRows > 0) violate('late rows', `${results.lateRows} rows of ordered input`)
}

function checkRecords({ database }: Results, rows: readonly Row[], violate: Violate): void {
  const ids = batches(database, 'ids').flatMap(({ rows }) => rows as string[])
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  for (const [id, count] of counts) {
    if (count > 1) violate('counted twice', `record ${id} is in ${count} batches`)
  }
  const lost = rows.find(({ id }) => !counts.has(id))
  if (lost !== undefined) violate('lost record', `record ${lost.id} is in no batch`)
}

/** The outputs of a batch must be those of the records of the batch. */
function checkBatches({ database }: Results, rows: readonly Row[], violate: Violate): void {
  const byId = new Map(rows.map((row) => [row.id, row]))
  const counts = new Map(batches(database, 'counts').map(({ batchId, rows }) => [batchId, rows]))
  const grouped = new Map(batches(database, 'grouped').map(({ batchId, rows }) => [batchId, rows]))
  for (const { batchId, rows: ids } of batches(database, 'ids')) {
    const own = (ids as string[]).flatMap((id) => byId.get(id) ?? [])
    const expected = textOf(summed(own))
    const counted = textOf(counts.get(batchId) as [string, number][])
    if (counted !== expected) {
      violate('wrong batch', `batch ${batchId} counted ${counted}, expected ${expected}`)
    }
    const sums = ((grouped.get(batchId) ?? []) as [string, string][]).map(([key, values]) => {
      return [key, values.split('+').reduce((sum, value) => sum + Number(value), 0)] as const
    })
    if (textOf(sums) === expected) continue
    violate('wrong groups', `batch ${batchId} grouped ${textOf(sums)}, expected ${expected}`)
  }
}

/** A window is emitted once, with all of its records, in the batch in which it is due. */
function checkWindows(results: Results, rows: readonly Row[], violate: Violate): void {
  const { database } = results
  const expected = windowed(rows)
  const seen = new Map<string, number>()
  for (const { batchId, rows: emitted } of batches(database, 'windows')) {
    for (const [window, value] of emitted as [string, number][]) {
      if (seen.has(window)) violate('window twice', `${window}, again in batch ${batchId}`)
      seen.set(window, batchId)
      if (expected.get(window) === value) continue
      violate('wrong window', `${window} is ${value}, expected ${expected.get(window)}`)
    }
  }
  const marks = watermarks(results, rows)
  for (const window of expected.keys()) {
    const due = marks.find(({ timeMs }) => timeMs >= endOfWindow(window))?.batchId
    const emitted = seen.get(window)
    if (emitted === due) continue
    violate('window at a wrong time', `${window} is due in batch ${due}, emitted in ${emitted}`)
  }
}

/**
 * The watermark of each batch: the least of the times that the partitions had reached before it.
 */
function watermarks({ database, partitions }: Results, rows: readonly Row[]) {
  const byId = new Map(rows.map((row) => [row.id, row]))
  const reached = Array.from({ length: partitions }, () => Number.NEGATIVE_INFINITY)
  const ordered = batches(database, 'ids').toSorted((one, other) => one.batchId - other.batchId)
  return ordered.map(({ batchId, rows: ids }) => {
    const timeMs = Math.min(...reached)
    for (const id of ids as string[]) {
      const partition = Number(id.split('.')[0])
      reached[partition] = Math.max(reached[partition]!, byId.get(id)?.timeMs ?? 0)
    }
    return { batchId, timeMs }
  })
}

/** The ids of the records that are in a batch, however often. */
export function countedRecords(database: Database): number {
  return new Set(batches(database, 'ids').flatMap(({ rows }) => rows)).size
}

function batches(database: Database, sink: string): readonly BatchRows[] {
  return database.list(sink) as readonly BatchRows[]
}

function textOf(entries: Iterable<readonly [unknown, unknown]> | undefined): string {
  return JSON.stringify([...(entries ?? [])].sort())
}
