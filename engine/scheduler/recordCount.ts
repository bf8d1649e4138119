// Counts the records of a job's batches. Offsets do not: transaction markers, aborted records and
// compacted records have offsets, too. Tasks that read a range to its end report its records, and a
// batch is counted once, when all of its ranges have been read: mostly when it runs, but a window
// may read a batch later. A batch that is never read to its end (an action such as take stops
// early) is counted by its offsets once no window reaches it.

import { type RangeRead, rangeKey } from '../sources/scan.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { offsetsIn } from './rangePlan.ts'

/** Stored with the commit of a batch. */
export interface Counted {
  /** Records of all counted batches. */
  readonly recordsTotal: number
  /** Committed batches that are not counted yet. */
  readonly uncounted: readonly number[]
}

interface Open {
  readonly batch: BatchInfo
  /** Records by range; undefined until a task has read the range to its end. */
  readonly records: Map<string, number | undefined>
}

export class RecordCount {
  #total: number
  /** Oldest first; the last one may be running. */
  #open: Open[] = []

  /** `uncounted`: batches that an earlier process committed without counting them. */
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

  /** Idempotent: tasks are retried and share reads, so a range may be reported many times. */
  rangeRead({ range, records }: RangeRead): void {
    const key = rangeKey(range)
    for (const open of this.#open) if (open.records.has(key)) open.records.set(key, records)
  }

  /** Returns the records known so far; unread ranges count by their offsets. */
  recordsIn(batchId: number): number {
    const open = this.#open.find(({ batch }) => batch.batchId === batchId)
    return open === undefined ? 0 : recordsOf(open)
  }

  /**
   * Called before the newest batch is committed. No window reaches batches before
   * `oldestRemembered`.
   */
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
