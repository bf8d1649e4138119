// What each batch is: the offsets that it reads, its watermarks, and the code and the operators it was
// planned with; written before the batch runs. A batch that is run again is the very same, whatever has
// arrived meanwhile: that is what makes its result the same. So an id is appended once. Only the newest
// batch, and only while it is not committed, can be planned anew (see supersede).

import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import type { OperatorContract } from '../contract/statefulOperator.ts'
import type { OffsetRange } from '../sources/scan.ts'
import { CheckpointError } from './checkpointError.ts'
import { EntryLog, isRecordOf } from './entryLog.ts'

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
  /** What was in dead letter topics when the batch was planned: a rerun finds there what it sent before. */
  readonly deadLetterEnds?: readonly DeadLetterEnd[] | undefined
  /** Only in entries of format 0: offsets of this batch and all before it. Commits say more now. */
  readonly recordsTotal?: number
}

/** The end of a partition of a dead letter topic. */
export interface DeadLetterEnd {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/**
 * Of the entries that are written (see EntryLog). 0: ranges of topics by name, read uncommitted. 1:
 * ranges have the topic's id and the isolation with which they are read. 2: watermarks, the version of the
 * code and the operators; a later entry of the same batch takes the place of an earlier one.
 */
const formatVersion = 2

export class OffsetLog {
  readonly #log: EntryLog<OffsetLogEntry>

  private constructor(log: EntryLog<OffsetLogEntry>) {
    this.#log = log
  }

  /** Opens the log in file `path`, empty when there is none. */
  static async open(disk: Disk, path: string): Promise<OffsetLog> {
    const log = await EntryLog.open(disk, path, formatVersion, decodeEntry, isSameBatch)
    let index = 0
    const first = log.at(0)?.batchId ?? 0
    for (const { batchId } of log.values()) {
      if (batchId === first + index++) continue
      await log.close()
      throw new CheckpointError(
        'CHECKPOINT_DAMAGED',
        `${path} is damaged: batch ${batchId} is where batch ${first + index - 1} should be; ` +
          "put back a copy of the job's whole directory, or remove the directory to start over",
      )
    }
    return new OffsetLog(log)
  }

  /** The content of a log that has just these batches. */
  static encode(entries: readonly OffsetLogEntry[]): Buffer {
    return EntryLog.encode(formatVersion, entries)
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

  /**
   * Plans the newest batch anew: resolves when the entry has durably taken the place of the one with its
   * id. For a batch that must not be committed, and whose results nobody has seen: the caller's to assert.
   */
  async supersede(entry: OffsetLogEntry): Promise<void> {
    const latest = this.latest()
    assert(
      entry.batchId === latest?.batchId,
      `batch ${entry.batchId} takes the place of batch ${latest?.batchId} in the offset log`,
    )
    await this.#log.replaceLast(entry)
  }

  /** Forgets the batches before `batchId`; the newest always stays, for its id and its offsets. */
  async prune(batchId: number): Promise<void> {
    const oldest = this.#log.at(0)
    if (oldest === undefined) return
    const most = this.#log.count - 1
    await this.#log.keepFrom(Math.max(0, Math.min(batchId - oldest.batchId, most)))
  }

  /** Of the file. */
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

/** Throws a TypeError for anything else than an entry. */
export function decodeEntry(parsed: unknown): OffsetLogEntry {
  const entry = parsed as Partial<OffsetLogEntry> | null
  const isEntry =
    Number.isSafeInteger(entry?.batchId) &&
    typeof entry?.timeMs === 'number' &&
    Array.isArray(entry.ranges) &&
    entry.ranges.every(isRange)
  if (!isEntry) throw new TypeError('not a batch with its offset ranges')
  const { watermarks, code, operators, deadLetterEnds } = entry
  if (watermarks !== undefined && !isRecordOf(watermarks, Number.isFinite)) {
    throw new TypeError('watermarks that are no times')
  }
  if (code !== undefined && typeof code !== 'string')
    throw new TypeError('a version that is no text')
  if (!isListOf(operators, isOperator)) throw new TypeError('operators that are none')
  if (!isListOf(deadLetterEnds, isEnd)) throw new TypeError('ends of topics that are none')
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
