// Where a log begins, and how its beginning goes: on request (DeleteRecords), by age and by size. The
// new start is durable before anything is removed, so that what was deleted never comes back; nothing
// that is not below the high watermark is ever deleted.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { DeleteRecordsResult } from './deleteRecordsResult.ts'
import type { LeaderEpochs } from './leaderEpochs.ts'
import type { LogConfig } from './logConfig.ts'
import { isShortage } from './logError.ts'
import type { PartitionLogOptions } from './partitionLogOptions.ts'
import { findExpired } from './retention.ts'
import type { LogSegments } from './segment/logSegments.ts'

/** The log, as far as its beginning goes; each call may throw LogError. */
export interface LogOfStart {
  readonly segments: LogSegments
  readonly highWatermark: number
  readonly config: LogConfig
  readonly epochs: LeaderEpochs
  readonly logger: () => Logger
  /** Resolves when everything appended so far is on the disk. */
  flush(): Promise<void>
  roll(): Promise<void>
  /** Writes the leader epoch checkpoint. */
  saveEpochs(content: Buffer): Promise<void>
  /** Takes out the segments that hold nothing at or above `offset`. */
  removeBelow(offset: number): Promise<void>
  /** Where more room may be made for what has to be written before anything is removed. */
  readonly space: { makeRoom(): Promise<boolean> } | undefined
  /** Lets a log that was stopped by a full disk be written to again, if there is room. */
  regainSpace(): Promise<void>
}

/** See PartitionLogOptions. */
export type SavedStart = Pick<
  PartitionLogOptions,
  'logStartOffset' | 'saveLogStartOffset' | 'isKnown'
>

export class LogStart {
  readonly #save: () => Promise<void>
  /** Whether the checkpoints have the log, so that its start was saved unless it is 0. */
  readonly isKnown: boolean
  /** The first offset that can be read; it may lie inside the first segment. */
  offset: number
  /** `offset` has moved, and saving that has failed. */
  #isUnsaved = false
  /** What was saved before damage was found, which the next start is to find as well. */
  #kept: number | undefined

  constructor({ logStartOffset = 0, saveLogStartOffset, isKnown = false }: SavedStart) {
    this.offset = logStartOffset
    this.#save = saveLogStartOffset ?? (() => Promise.resolve())
    this.isKnown = isKnown
  }

  /** What is to be saved. */
  get savedOffset(): number {
    return this.#kept ?? this.offset
  }

  /** As recovery has found it. */
  recovered(offset: number, isDamaged: boolean): void {
    if (isDamaged) this.#kept ??= this.offset
    this.offset = offset
  }

  /** See `PartitionLog.deleteRecordsBefore`. */
  async deleteBefore(log: LogOfStart, offset: number): Promise<DeleteRecordsResult> {
    const startOffset = offset === -1 ? log.highWatermark : offset
    if (startOffset < 0 || startOffset > log.highWatermark) {
      return { errorCode: ErrorCode.offsetOutOfRange, lowWatermark: -1 }
    }
    try {
      await withRoom(log, async () => {
        // Else a crash could take away more than is deleted, and offsets would be given twice.
        await log.flush()
        await this.#moveTo(log, startOffset)
      })
      return { errorCode: ErrorCode.none, lowWatermark: this.offset }
    } catch (error) {
      log.logger().error({ error, offset }, 'records could not be deleted')
      return { errorCode: ErrorCode.kafkaStorageError, lowWatermark: -1 }
    }
  }

  /** Deletes the segments whose time is over by retention.ms and retention.bytes. */
  async applyRetention(log: LogOfStart, nowMs: number): Promise<void> {
    const { segments, highWatermark, config } = log
    const retained = { spans: segments.spans(), logStartOffset: this.offset, highWatermark, config }
    const { endOffset, withActive, reasons } = await findExpired(retained, nowMs)
    if (reasons.size === 0) return
    log.logger().info({ below: endOffset, reasons: [...reasons] }, 'segments are deleted')
    await withRoom(log, async () => {
      if (withActive) await log.roll()
      await this.#moveTo(log, endOffset)
    })
  }

  /** The log is cut off at `offset`: it cannot begin above that. */
  async lowerTo(offset: number): Promise<void> {
    if (offset >= this.offset) return
    this.offset = offset
    await this.#save()
  }

  /** Lets the log begin at `offset` at the earliest, and drops what lies below. */
  async #moveTo(log: LogOfStart, offset: number): Promise<void> {
    const { epochs } = log
    const isRetried = this.#isUnsaved
    if (offset > this.offset || isRetried) {
      this.offset = Math.max(offset, this.offset)
      this.#isUnsaved = true
      await this.#save()
      const isChanged = epochs.truncateFromStart(this.offset)
      if (isChanged || isRetried) await log.saveEpochs(epochs.encode())
      this.#isUnsaved = false
    }
    await log.removeBelow(this.offset)
  }
}

/** What is deleted gives more room than is written for it, but later. */
async function withRoom(log: LogOfStart, deletion: () => Promise<void>): Promise<void> {
  try {
    await deletion()
  } catch (error) {
    if (!isShortage(error) || !(await log.space?.makeRoom())) throw error
    await log.regainSpace()
    await deletion()
  }
}
