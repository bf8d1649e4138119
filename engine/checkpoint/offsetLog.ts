// What each batch reads, written before the batch runs. A batch that is run again reads the very
// same offsets, whatever has arrived meanwhile: that is what makes its result the same. It must
// never be changed afterwards, so an id can be appended once only.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import type { OperatorContract } from '../contract/statefulOperator.ts'
import type { OffsetRange } from '../sources/scan.ts'
import { CheckpointError } from './checkpointError.ts'
import { EntryLog } from './entryLog.ts'

export interface OffsetLogEntry {
  readonly batchId: number
  /** The batch's nominal time, in milliseconds since the epoch. */
  readonly timeMs: number
  readonly ranges: readonly OffsetRange[]
  /** See BatchInfo. */
  readonly watermarks?: Readonly<Record<string, number>> | undefined
  /** Version of the code that the batch was planned with: a hash over all that the job imports. */
  readonly code?: string | undefined
  /** Operators whose state the batch changes. */
  readonly operators?: readonly OperatorContract[] | undefined
  /** Only in entries of format 0: offsets of this batch and all before it. Commits say more now. */
  readonly recordsTotal?: number
}

/**
 * Of the entries that are written (see EntryLog). 0: ranges of topics by name, read uncommitted. 1:
 * ranges have the topic's id and the isolation with which they are read.
 */
const formatVersion = 1

export class OffsetLog {
  readonly #log: EntryLog<OffsetLogEntry>

  private constructor(log: EntryLog<OffsetLogEntry>) {
    this.#log = log
  }

  /** Opens the log in file `path`, empty when there is none. */
  static async open(disk: Disk, path: string): Promise<OffsetLog> {
    const log = await EntryLog.open(disk, path, formatVersion, decode)
    let index = 0
    const first = log.at(0)?.batchId ?? 0
    for (const { batchId } of log.values()) {
      if (batchId === first + index++) continue
      await log.close()
      throw new CheckpointError(
        'CHECKPOINT_DAMAGED',
        `${path} is damaged: batch ${batchId} is where batch ${first + index - 1} should be; ` +
          "remove the job's checkpoint to start over",
      )
    }
    return new OffsetLog(log)
  }

  /** The newest batch; undefined when there is none. */
  latest(): OffsetLogEntry | undefined {
    return this.#log.at(-1)
  }

  get(batchId: number): OffsetLogEntry | undefined {
    const oldest = this.#log.at(0)
    if (oldest === undefined || batchId < oldest.batchId) return undefined
    return this.#log.at(batchId - oldest.batchId)
  }

  /** The batches `from` to `until - 1` that there are, oldest first. */
  range(from: number, until: number): OffsetLogEntry[] {
    return [...this.#log.values()].filter(({ batchId }) => batchId >= from && batchId < until)
  }

  /** Resolves when the entry is durable. Batch ids follow one another without gaps. */
  async append(entry: OffsetLogEntry): Promise<void> {
    const latest = this.latest()
    assert(
      latest === undefined || entry.batchId === latest.batchId + 1,
      `batch ${entry.batchId} does not follow batch ${latest?.batchId} in the offset log`,
    )
    await this.#log.append(entry)
  }

  /** Forgets the batches before `batchId`; the newest always stays, for its id and its offsets. */
  async prune(batchId: number): Promise<void> {
    const oldest = this.#log.at(0)
    if (oldest === undefined) return
    const most = this.#log.count - 1
    await this.#log.keepFrom(Math.max(0, Math.min(batchId - oldest.batchId, most)))
  }

  close(): Promise<void> {
    return this.#log.close()
  }
}

function decode(parsed: unknown): OffsetLogEntry {
  const entry = parsed as Partial<OffsetLogEntry> | null
  const isEntry =
    Number.isSafeInteger(entry?.batchId) &&
    typeof entry?.timeMs === 'number' &&
    Array.isArray(entry.ranges) &&
    entry.ranges.every(isRange)
  if (!isEntry) throw new TypeError('not a batch with its offset ranges')
  return entry as OffsetLogEntry
}

function isRange(parsed: unknown): parsed is OffsetRange {
  const range = parsed as Partial<OffsetRange> | null
  return (
    typeof range?.topic === 'string' &&
    Number.isSafeInteger(range.partition) &&
    Number.isSafeInteger(range.from) &&
    Number.isSafeInteger(range.until) &&
    (range.topicId === undefined || typeof range.topicId === 'string') &&
    [undefined, 'uncommitted', 'committed'].includes(range.isolation)
  )
}
