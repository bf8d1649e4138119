// How many records a job's batches held. Offsets do not say it: transaction markers, aborted records
// and what compaction removed have offsets, too. So the tasks that read a range to its end say how many
// records it had, and a batch is counted once, when all of its ranges have been read: mostly when it
// runs, but a window may read a batch later than that. A batch that nobody reads to its end (an action
// such as take stops early) is counted by its offsets when no window reaches it any more.

import { type RangeRead, rangeKey } from '../sources/scan.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { offsetsIn } from './rangePlan.ts'

/** Kept with the commit of a batch. */
export interface Counted {
  /** Records of all batches that are counted. */
  readonly recordsTotal: number
  /** Committed batches that are not counted yet. */
  readonly uncounted: readonly number[]
}

interface Open {
  readonly batch: BatchInfo
  /** Records by range; undefined until a task has read it to its end. */
  readonly records: Map<string, number | undefined>
}

export class RecordCount {
  #total: number
  /** Oldest first; the last may be running. */
  #open: Open[] = []

  /** `uncounted`: committed batches of an earlier run. */
  constructor(total: number, uncounted: readonly BatchInfo[] = []) {
    this.#total = total
    for (const batch of uncounted) this.begin(batch)
  }

  get total(): number {
    return this.#total
  }

  begin(batch: BatchInfo): void {
    const records = new Map<string, number | undefined>()
    for (const range of batch.ranges) {
      if (range.until > range.from) records.set(rangeKey(range), undefined)
    }
    this.#open = this.#open.filter((open) => open.batch.batchId !== batch.batchId)
    this.#open.push({ batch, records })
  }

  /** Tasks are retried and share what they read: a range may come many times, with the same number. */
  rangeRead({ range, records }: RangeRead): void {
    const key = rangeKey(range)
    for (const open of this.#open) if (open.records.has(key)) open.records.set(key, records)
  }

  /** As far as is known now: ranges that were not read count by their offsets. */
  recordsIn(batchId: number): number {
    const open = this.#open.find(({ batch }) => batch.batchId === batchId)
    return open === undefined ? 0 : recordsOf(open)
  }

  /** The newest batch is about to be committed; no window reaches batches before `oldestRemembered`. */
  commit(oldestRemembered: number): Counted {
    this.#open = this.#open.filter((open) => {
      const isRead = [...open.records.values()].every((records) => records !== undefined)
      if (!isRead && open.batch.batchId >= oldestRemembered) return true
      this.#total += recordsOf(open)
      return false
    })
    const uncounted = this.#open.map(({ batch }) => batch.batchId)
    return { recordsTotal: this.#total, uncounted }
  }
}

function recordsOf({ batch, records }: Open): number {
  return batch.ranges.reduce(
    (sum, range) => sum + (records.get(rangeKey(range)) ?? offsetsIn([range])),
    0,
  )
}
