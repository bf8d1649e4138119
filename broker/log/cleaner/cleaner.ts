// Compacts one log (Kafka's Cleaner): maps each key in the new part of the log to its last offset,
// then rewrites every segment up to there without superseded records, and replaces the old
// segments. logCleaner.ts decides which log, and when. Must never touch the active segment.

import type { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordCursor } from '../../../protocol/kafka/records/recordCursor.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { LogConfig } from '../logConfig.ts'
import type { AbortedTransactionEntry } from '../segment/indexes/transactionIndex.ts'
import type { Segment } from '../segment/segment.ts'
import { BatchFilter, maxDecompressedBytes } from './batchFilter.ts'
import type { CleanableLog } from './cleanableLog.ts'
import { CleanedSegment } from './cleanedSegment.ts'
import { CleanedTransactions } from './cleanedTransactions.ts'
import { type CleaningRange, groupSegments } from './cleaningPlan.ts'
import { OffsetMap } from './offsetMap.ts'
import { Pace } from './pace.ts'
import { segmentBatches, type WalkOptions } from './segmentBatches.ts'

/** The sizes may change while the cleaner runs; they are read at the start of each log. */
export interface CleanerOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** log.cleaner.dedupe.buffer.size: limit on the memory for the offsets of keys. */
  readonly dedupeBufferBytes: number
  /** log.cleaner.io.buffer.size: half for reading, half for writing. */
  readonly ioBufferBytes: number
  /** log.cleaner.io.max.bytes.per.second */
  readonly ioMaxBytesPerSecond: number
}

/** Limit on one read: a few milliseconds of work. */
const maxChunkBytes = 64 * 1024

export class Cleaner {
  readonly #options: CleanerOptions
  readonly #pace: Pace
  /** Bytes of the segments that were replaced, and of those that replaced them. */
  readonly replaced = { readBytes: 0, writtenBytes: 0 }

  constructor(options: CleanerOptions) {
    this.#options = options
    this.#pace = new Pace(options.clock, options)
  }

  /**
   * Returns the offset below which the log is clean; undefined if `signal` aborted, or the log was
   * truncated meanwhile. Segments replaced by then are complete, and stay.
   */
  async clean(
    log: CleanableLog,
    range: CleaningRange<Segment>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { ioBufferBytes, dedupeBufferBytes } = this.#options
    const chunkBytes = Math.min(maxChunkBytes, Math.ceil(ioBufferBytes / 2))
    const walk = { chunkBytes, pace: this.#pace, signal }
    const aborted = await log.abortedTransactions(range.cleanable.at(-1)!.nextOffset)
    const offsets = await mapOffsets(
      range,
      new CleanedTransactions(aborted),
      dedupeBufferBytes,
      walk,
    )
    const endOffset = offsets.latestOffset + 1
    const round = new CleaningRound(this.#options, log, offsets, aborted, walk)
    const cleaned = range.cleanable.filter(({ baseOffset }) => baseOffset < endOffset)
    for (const group of await groupsOf(cleaned, log.config)) {
      const readBytes = group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      const writtenBytes = signal.aborted ? undefined : await round.cleanGroup(group)
      if (writtenBytes === undefined) return undefined
      this.replaced.readBytes += readBytes
      this.replaced.writtenBytes += writtenBytes
    }
    return signal.aborted ? undefined : endOffset
  }
}

/** The last offsets of the keys in the new part of the log, until the map is full. */
async function mapOffsets(
  { dirty, firstDirtyOffset }: CleaningRange<Segment>,
  transactions: CleanedTransactions,
  maxBytes: number,
  walk: WalkOptions,
): Promise<OffsetMap> {
  const offsets = new OffsetMap(maxBytes, dirty.at(-1)!.nextOffset - firstDirtyOffset)
  for (const segment of dirty) {
    const from = Math.max(firstDirtyOffset, segment.baseOffset)
    for await (const batch of segmentBatches(segment, from, walk)) {
      const hasRecords = !transactions.isDiscardable(batch) && !batch.isControl
      if (hasRecords && !mapBatch(batch, firstDirtyOffset, offsets)) return offsets
      offsets.advance(batch.lastOffset)
    }
    offsets.advance(segment.nextOffset - 1)
  }
  return offsets
}

/** Returns false if the map is full. */
function mapBatch(batch: RecordBatch, firstDirtyOffset: number, offsets: OffsetMap): boolean {
  const cursor = new RecordCursor(batch, maxDecompressedBytes)
  while (cursor.next()) {
    if (cursor.keyStart < 0 || cursor.offset < firstDirtyOffset) continue
    const key = cursor.bytes.subarray(cursor.keyStart, cursor.keyEnd)
    if (!offsets.put(key, cursor.offset)) return false
  }
  return true
}

async function groupsOf(
  segments: readonly Segment[],
  { segmentBytes, segmentIndexBytes }: LogConfig,
): Promise<Segment[][]> {
  const indexBytes = new Map<Segment, number>()
  for (const segment of segments) {
    const { offsets, times } = await segment.indexes()
    indexBytes.set(segment, Math.max(offsets.sizeInBytes, times.sizeInBytes))
  }
  const limits = { segmentBytes, indexBytes: segmentIndexBytes }
  return groupSegments(segments, (segment) => indexBytes.get(segment)!, limits)
}

/** Rewrites the segments group by group, with the transactions that span groups. */
class CleaningRound {
  readonly #options: CleanerOptions
  readonly #log: CleanableLog
  readonly #walk: WalkOptions
  readonly #filter: BatchFilter
  /** Receives the markers that are still needed. */
  #cleaned: CleanedSegment | undefined

  constructor(
    options: CleanerOptions,
    log: CleanableLog,
    offsets: OffsetMap,
    aborted: readonly AbortedTransactionEntry[],
    walk: WalkOptions,
  ) {
    this.#options = options
    this.#log = log
    this.#walk = walk
    this.#filter = new BatchFilter({
      offsets,
      transactions: new CleanedTransactions(aborted, (kept) =>
        this.#cleaned?.keepTransaction(kept),
      ),
      lastRecords: log.lastRecords(),
      nowMs: options.clock.nowMs(),
      deleteRetentionMs: log.config.deleteRetentionMs,
    })
  }

  /**
   * Returns the bytes written; undefined if it was aborted, or the segments are not part of the log
   * any more.
   */
  async cleanGroup(group: readonly Segment[]): Promise<number | undefined> {
    const cleaned = await CleanedSegment.create({
      disk: this.#options.disk,
      directory: this.#log.directory,
      baseOffset: group[0]!.baseOffset,
      indexIntervalBytes: this.#log.config.indexIntervalBytes,
      bufferBytes: Math.ceil(this.#options.ioBufferBytes / 2),
    })
    this.#cleaned = cleaned
    let isReplaced = false
    try {
      await this.#fill(cleaned, group)
      if (this.#walk.signal.aborted) return undefined
      await cleaned.finish()
      const { sizeBytes } = cleaned
      isReplaced = await this.#log.replace(group, cleaned)
      return isReplaced ? sizeBytes : undefined
    } finally {
      if (!isReplaced) await cleaned.discard()
    }
  }

  async #fill(cleaned: CleanedSegment, group: readonly Segment[]): Promise<void> {
    const endOffset = group.at(-1)!.nextOffset
    for (const segment of group) {
      for await (const batch of segmentBatches(segment, segment.baseOffset, this.#walk)) {
        const kept = this.#filter.filter(batch, batch.nextOffset === endOffset)
        if (kept === undefined) continue
        await cleaned.append(kept)
        this.#walk.pace.spend(kept.length)
      }
    }
  }
}
