// The offset log: the plan of each batch, written before the batch runs. It has the offsets, the
// watermarks, and the code and operators of the plan. Contract: a batch is rerun from its entry and
// so gives the same result, whatever has arrived since. An id is appended once; only the newest
// batch, while it is not committed, may be planned again (see supersede).

import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { OperatorContract } from '../contract/statefulOperator.ts'
import type { DeadLetterEnd } from '../sources/deadLetter.ts'
import type { OffsetRange } from '../sources/scan.ts'
import { CheckpointError } from './checkpointError.ts'
import { EntryLog, isRecordOf } from './entryLog.ts'

export interface OffsetLogEntry {
  readonly batchId: number
  /** Nominal time of the batch, in milliseconds since the epoch. */
  readonly timeMs: number
  readonly ranges: readonly OffsetRange[]
  /** See BatchInfo. */
  readonly watermarks?: Readonly<Record<string, number>> | undefined
  /** Version of the code that the batch was planned with: a hash over all that the job imports. */
  readonly code?: string | undefined
  /** Operators whose state the batch changes. */
  readonly operators?: readonly OperatorContract[] | undefined
  /**
   * Ends of the dead letter topics when the batch was planned: a rerun finds after them what it has
   * already sent.
   */
  readonly deadLetterEnds?: readonly DeadLetterEnd[] | undefined
  /**
   * Only in entries of format 0: offsets of this batch and all before it. Superseded by commits.
   */
  readonly recordsTotal?: number
}

/**
 * Format of the entries written (see EntryLog). 0: ranges of topics by name, read uncommitted. 1:
 * ranges with the topic's id and isolation level. 2: watermarks, the version of the code and the
 * operators; a later entry of the same batch supersedes an earlier one.
 */
const formatVersion = 2

export class OffsetLog {
  readonly #log: EntryLog<OffsetLogEntry>

  private constructor(log: EntryLog<OffsetLogEntry>) {
    this.#log = log
  }

  /** Opens the log in file `path`, creating it if it does not exist. */
  static async open(disk: Disk, path: string): Promise<OffsetLog> {
    const log = await EntryLog.open(disk, path, formatVersion, decodeEntry, isSameBatch)
    let index = 0
    const first = log.at(0)?.batchId ?? 0
    for (const { batchId } of log.values()) {
      if (batchId === first + index++) continue
      await log.close()
      throw new CheckpointError(
        'CHECKPOINT_DAMAGED',
        `${path} is damaged: expected batch ${first + index - 1} but found batch ${batchId}; ` +
          "restore a copy of the job's whole directory, or remove the directory to start over",
      )
    }
    return new OffsetLog(log)
  }

  /** Encodes a log with exactly these batches. */
  static encode(entries: readonly OffsetLogEntry[]): Buffer {
    return EntryLog.encode(formatVersion, entries)
  }

  /** The newest batch; undefined for an empty log. */
  latest(): OffsetLogEntry | undefined {
    return this.#log.at(-1)
  }

  get(batchId: number): OffsetLogEntry | undefined {
    const oldest = this.#log.at(0)
    if (oldest === undefined || batchId < oldest.batchId) return undefined
    return this.#log.at(batchId - oldest.batchId)
  }

  /** Returns the batches from `from` to `until - 1` that are kept, oldest first. */
  range(from: number, until: number): OffsetLogEntry[] {
    return [...this.#log.values()].filter(({ batchId }) => batchId >= from && batchId < until)
  }

  /** Resolves when the entry is durable. Batch ids are consecutive. */
  async append(entry: OffsetLogEntry): Promise<void> {
    const latest = this.latest()
    assert(
      latest === undefined || entry.batchId === latest.batchId + 1,
      `batch ${entry.batchId} does not follow batch ${latest?.batchId} in the offset log`,
    )
    await this.#log.append(entry)
  }

  /**
   * Plans the newest batch again: resolves when `entry` has durably replaced the one with its id.
   * The caller guarantees that the batch is not committed and that none of its results are visible.
   */
  async supersede(entry: OffsetLogEntry): Promise<void> {
    const latest = this.latest()
    assert(
      entry.batchId === latest?.batchId,
      `batch ${entry.batchId} must not supersede batch ${latest?.batchId} in the offset log`,
    )
    await this.#log.replaceLast(entry)
  }

  /** Drops the batches before `batchId`. The newest always stays, for its id and its offsets. */
  async prune(batchId: number): Promise<void> {
    const oldest = this.#log.at(0)
    if (oldest === undefined) return
    const most = this.#log.count - 1
    await this.#log.keepFrom(Math.max(0, Math.min(batchId - oldest.batchId, most)))
  }

  /** Size of the file. */
  get sizeBytes(): number {
    return this.#log.sizeBytes
  }

  close(): Promise<void> {
    return this.#log.close()
  }
}

function isSameBatch(older: OffsetLogEntry, newer: OffsetLogEntry): boolean {
  return older.batchId === newer.batchId
}

/** Throws a TypeError for anything other than an entry. */
export function decodeEntry(parsed: unknown): OffsetLogEntry {
  const entry = parsed as Partial<OffsetLogEntry> | null
  const isEntry =
    Number.isSafeInteger(entry?.batchId) &&
    typeof entry?.timeMs === 'number' &&
    Array.isArray(entry.ranges) &&
    entry.ranges.every(isRange)
  if (!isEntry) throw new TypeError('not a batch with offset ranges')
  const { watermarks, code, operators, deadLetterEnds } = entry
  if (watermarks !== undefined && !isRecordOf(watermarks, Number.isFinite)) {
    throw new TypeError('invalid watermarks')
  }
  if (code !== undefined && typeof code !== 'string')
    throw new TypeError('the code version is not a string')
  if (!isListOf(operators, isOperator)) throw new TypeError('invalid operators')
  if (!isListOf(deadLetterEnds, isEnd)) throw new TypeError('invalid dead letter ends')
  return entry as OffsetLogEntry
}

function isListOf(value: unknown, isEntry: (entry: unknown) => boolean): boolean {
  return value === undefined || (Array.isArray(value) && value.every(isEntry))
}

/** Whether a value is an operator's contract. */
export function isOperator(value: unknown): value is OperatorContract {
  const { uid, isNamed, kind, shape, codec } = (value ?? {}) as Partial<OperatorContract>
  const texts = [uid, kind, shape, codec]
  return texts.every((text) => typeof text === 'string') && typeof isNamed === 'boolean'
}

function isEnd(value: unknown): boolean {
  const { topic, partition, offset } = (value ?? {}) as Partial<DeadLetterEnd>
  return (
    typeof topic === 'string' && Number.isSafeInteger(partition) && Number.isSafeInteger(offset)
  )
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
