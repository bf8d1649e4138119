// The start of a log, and how it advances: on request (DeleteRecords), by retention, and after the
// leader's. Invariants: the new start is durable before records are removed, so that deleted
// records never come back; records above the high watermark are never deleted (asserted).

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { LeaderEpochs } from '../leaderEpochs.ts'
import type { LogConfig } from '../logConfig.ts'
import { isShortage } from '../logError.ts'
import type { PartitionLogOptions } from '../partitionLogOptions.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import type { DeleteRecordsResult } from './deleteRecordsResult.ts'
import { findExpired } from './retention.ts'

/** The parts of a log that deletion needs. Each call may throw LogError. */
export interface LogOfStart {
  readonly segments: LogSegments
  readonly highWatermark: number
  readonly config: LogConfig
  readonly epochs: LeaderEpochs
  readonly logger: () => Logger
  /** Resolves when everything appended so far is durable. */
  flush(): Promise<void>
  roll(): Promise<void>
  /** Writes the leader epoch checkpoint. */
  saveEpochs(content: Buffer): Promise<void>
  /** Removes the segments that hold no record at or above `offset`. */
  removeBelow(offset: number): Promise<void>
  /** Frees the disk reserve when the writes that precede a deletion find no space. */
  readonly space: { makeRoom(): Promise<boolean> } | undefined
  /** Lets a log that was stopped by a full disk accept writes again, if there is space. */
  regainSpace(): Promise<void>
}

/** See PartitionLogOptions. */
export type SavedStart = Pick<
  PartitionLogOptions,
  'logStartOffset' | 'saveLogStartOffset' | 'isKnown'
>

export class LogStart {
  readonly #save: () => Promise<void>
  /** Whether the checkpoints list the log, so that a start above 0 was saved. */
  readonly isKnown: boolean
  /** The first offset that can be read; may lie inside the first segment. */
  offset: number
  /** `offset` has advanced and saving it has failed. */
  #isUnsaved = false
  /** The start that was saved before damage was found; kept for the next recovery. */
  #kept: number | undefined

  constructor({ logStartOffset = 0, saveLogStartOffset, isKnown = false }: SavedStart) {
    this.offset = logStartOffset
    this.#save = saveLogStartOffset ?? (() => Promise.resolve())
    this.isKnown = isKnown
  }

  /** The offset to save in log-start-offset-checkpoint. */
  get savedOffset(): number {
    return this.#kept ?? this.offset
  }

  /** Sets the start that recovery has found. */
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
        // Otherwise a crash could remove more than is deleted, and offsets would be assigned twice.
        await log.flush()
        await this.#moveTo(log, startOffset)
      })
      return { errorCode: ErrorCode.none, lowWatermark: this.offset }
    } catch (error) {
      log.logger().error({ error, offset }, 'failed to delete records')
      return { errorCode: ErrorCode.kafkaStorageError, lowWatermark: -1 }
    }
  }

  /** Deletes the segments that retention.ms and retention.bytes no longer keep. */
  async applyRetention(log: LogOfStart, nowMs: number): Promise<void> {
    const { segments, highWatermark, config } = log
    const retained = { spans: segments.spans(), logStartOffset: this.offset, highWatermark, config }
    const { endOffset, withActive, reasons } = await findExpired(retained, nowMs)
    if (reasons.size === 0) return
    log.logger().info({ below: endOffset, reasons: [...reasons] }, 'deleting segments')
    await withRoom(log, async () => {
      if (withActive) await log.roll()
      await this.#moveTo(log, endOffset)
    })
  }

  /**
   * A follower takes over the start of its leader's log; `offset` is not above the high watermark.
   */
  async advanceTo(log: LogOfStart, offset: number): Promise<void> {
    if (offset <= this.offset) return
    await withRoom(log, async () => {
      await log.flush()
      await this.#moveTo(log, offset)
    })
  }

  /** The log is truncated to `offset`, and cannot start above its end. */
  async lowerTo(offset: number): Promise<void> {
    if (offset < this.offset) await this.resetTo(offset)
  }

  /** All records were removed; the empty log starts at `offset`. */
  async resetTo(offset: number): Promise<void> {
    this.offset = offset
    await this.#save()
  }

  /** Advances the start to `offset` and removes the segments below. */
  async #moveTo(log: LogOfStart, offset: number): Promise<void> {
    const { epochs } = log
    assert(offset <= log.highWatermark, 'only records below the high watermark are deleted')
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

/** A deletion frees more space than it writes, but writes first. */
async function withRoom(log: LogOfStart, deletion: () => Promise<void>): Promise<void> {
  try {
    await deletion()
  } catch (error) {
    if (!isShortage(error) || !(await log.space?.makeRoom())) throw error
    await log.regainSpace()
    await deletion()
  }
}
