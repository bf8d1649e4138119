// Compacts logs in the background: chooses the log with the largest dirty ratio (Kafka's
// LogCleanerManager) and cleans one log at a time; without a log to clean it waits for
// log.cleaner.backoff.ms.
//
// Contract: a log that fails to be cleaned is set aside until the next start, and never blocks
// others. Must never remove the last record of a key, nor touch an active segment.

import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import { type Clock, sleep } from '../../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { CleanerCheckpoint } from '../directory/cleanerCheckpoint.ts'
import { isPassing } from '../logError.ts'
import type { PartitionLog } from '../partitionLog.ts'
import type { Segment } from '../segment/segment.ts'
import type { CleanableLog } from './cleanableLog.ts'
import { Cleaner, type CleanerOptions } from './cleaner.ts'
import { type CleaningRange, cleaningRange, firstDirtyOffset, isOverdue } from './cleaningPlan.ts'

/** A data directory and the logs in it. */
export interface CleanedDirectory {
  readonly cleanerCheckpoint: CleanerCheckpoint
  partitions(): Iterable<TopicPartition & { readonly log: PartitionLog }>
}

export interface LogCleanerOptions extends CleanerOptions {
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  readonly directories: readonly CleanedDirectory[]
  /**
   * log.cleaner.backoff.ms: wait when no log is dirty enough. After a change, `settingsChanged`
   * must be called.
   */
  readonly backoffMs: number
}

interface Candidate {
  readonly topicPartition: TopicPartition
  readonly log: PartitionLog
  readonly checkpoint: CleanerCheckpoint
  readonly cleanable: CleanableLog
  readonly range: CleaningRange<Segment>
}

/** Result of the last check of all compacted logs. */
export interface CleanerLook {
  /** New bytes of logs that are due to be cleaned. */
  backlogBytes: number
  /** The largest dirty ratio of a log, due or not. */
  maxDirtyRatio: number
  /** Logs that are set aside until the next start. */
  uncleanable: number
}

export class LogCleaner {
  readonly #options: LogCleanerOptions
  readonly runs = { cleaned: 0, failed: 0 }
  #lastLook: CleanerLook = { backlogBytes: 0, maxDirtyRatio: 0, uncleanable: 0 }
  readonly #clock: Clock
  readonly #cleaner: Cleaner
  /** Choosing a log fails. */
  readonly #blind: LastingCondition
  /** Cleaning fails for a passing reason, such as a full disk; retried in each round. */
  readonly #obstructed: LastingCondition
  readonly #uncleanable = new WeakSet<PartitionLog>()
  /** First timestamp of each segment, which never changes. */
  readonly #firstTimestamps = new WeakMap<Segment, number>()
  readonly #stop = new AbortController()
  /** Ends the wait in progress, if any. */
  #wake = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: LogCleanerOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#cleaner = new Cleaner(options)
    const { clock, logger } = options
    this.#blind = new LastingCondition({
      ...{ clock, logger, level: 'error' },
      over: 'logs to compact are chosen again',
    })
    this.#obstructed = new LastingCondition({ clock, logger, over: 'logs are compacted again' })
  }

  get lastLook(): Readonly<CleanerLook> {
    return this.#lastLook
  }

  /** Bytes of the segments that were replaced, and of those that replaced them. */
  get replaced(): { readonly readBytes: number; readonly writtenBytes: number } {
    return this.#cleaner.replaced
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends the wait in progress, because `backoffMs` may have been lowered. */
  settingsChanged(): void {
    this.#wake.abort()
  }

  /** Stops the cleaning in progress; resolves when no log is touched any more. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#wake.abort()
    await this.#running
  }

  /**
   * Cleans the log with the largest dirty ratio; returns false if no other should be cleaned now.
   */
  async cleanDirtiest(): Promise<boolean> {
    const candidate = await this.#dirtiest()
    return candidate !== undefined && (await this.#clean(candidate))
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      this.#wake = new AbortController()
      if (await this.#tryClean()) continue
      if (!signal.aborted) await sleep(this.#clock, this.#options.backoffMs, this.#wake.signal)
    }
  }

  async #tryClean(): Promise<boolean> {
    try {
      const cleaned = await this.cleanDirtiest()
      this.#blind.over()
      return cleaned
    } catch (error) {
      this.#blind.met({ error }, 'failed to choose a log to compact; retried')
      return false
    }
  }

  async #dirtiest(): Promise<Candidate | undefined> {
    let dirtiest: Candidate | undefined
    const look = { backlogBytes: 0, maxDirtyRatio: 0, uncleanable: 0 }
    for (const directory of this.#options.directories) {
      for (const { log, topic, partition } of directory.partitions()) {
        if (this.#uncleanable.has(log)) look.uncleanable++
        if (!log.config.cleanupPolicy.compact || this.#uncleanable.has(log) || log.offline) continue
        const candidate = await this.#candidate(log, { topic, partition }, directory, look)
        if (candidate && candidate.range.dirtyRatio > (dirtiest?.range.dirtyRatio ?? 0)) {
          dirtiest = candidate
        }
      }
    }
    this.#lastLook = look
    return dirtiest
  }

  /** Undefined if the log is clean enough, or cannot be read. */
  async #candidate(
    log: PartitionLog,
    topicPartition: TopicPartition,
    { cleanerCheckpoint: checkpoint }: CleanedDirectory,
    look: CleanerLook,
  ): Promise<Candidate | undefined> {
    const { cleanable } = log
    try {
      const range = await this.#rangeOf(cleanable, checkpoint.get(topicPartition))
      const { dirty, dirtyRatio } = range
      if (dirty.length === 0) return undefined
      look.maxDirtyRatio = Math.max(look.maxDirtyRatio, dirtyRatio)
      const isForced = dirtyRatio > 0 && this.#options.rarePoints?.isForced('log compacted')
      const isDue = isForced || dirtyRatio > cleanable.config.minCleanableDirtyRatio
      if (!isDue && !(await this.#isOverdue(cleanable, dirty))) return undefined
      look.backlogBytes += dirty.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      return { topicPartition, log, checkpoint, cleanable, range }
    } catch (error) {
      this.#setAside(log, cleanable, topicPartition, error)
      return undefined
    }
  }

  async #rangeOf(
    { bounds, config, sealed }: CleanableLog,
    checkpoint: number | undefined,
  ): Promise<CleaningRange<Segment>> {
    const firstDirty = firstDirtyOffset(checkpoint, bounds)
    const tooYoung = new Set<Segment>()
    if (config.minCompactionLagMs > 0) {
      const youngestMs = this.#clock.nowMs() - config.minCompactionLagMs
      for (const segment of sealed) {
        if (segment.nextOffset <= firstDirty) continue
        if ((await segment.largestTimestamp()) <= youngestMs) continue
        tooYoung.add(segment)
        break
      }
    }
    const isTooYoung = (segment: Segment) => tooYoung.has(segment)
    return cleaningRange(sealed, firstDirty, bounds.lastStableOffset, isTooYoung)
  }

  async #isOverdue(
    { config: { maxCompactionLagMs } }: CleanableLog,
    dirty: readonly Segment[],
  ): Promise<boolean> {
    const nowMs = this.#clock.nowMs()
    if (maxCompactionLagMs > nowMs) return false
    for (const segment of dirty) {
      if (isOverdue(await this.#firstTimestamp(segment), maxCompactionLagMs, nowMs)) return true
    }
    return false
  }

  async #firstTimestamp(segment: Segment): Promise<number> {
    const known = this.#firstTimestamps.get(segment)
    if (known !== undefined) return known
    const timestampMs = (await segment.firstTimestamp()) ?? -1
    this.#firstTimestamps.set(segment, timestampMs)
    return timestampMs
  }

  /** Returns whether the next log should be cleaned now. */
  async #clean(candidate: Candidate): Promise<boolean> {
    const { log, cleanable, range, topicPartition, checkpoint } = candidate
    const { logger } = this.#options
    const sizeBefore = log.size
    try {
      const endOffset = await this.#cleaner.clean(cleanable, range, this.#stop.signal)
      if (endOffset === undefined) return false
      await checkpoint.set(topicPartition, endOffset)
      this.runs.cleaned++
      this.#obstructed.over()
      const { dirtyRatio } = range
      logger.info(
        { ...topicPartition, dirtyRatio, endOffset, sizeBefore, sizeAfter: log.size },
        'log compacted',
      )
      return true
    } catch (error) {
      if (!isPassing(error)) return this.#setAside(log, cleanable, topicPartition, error)
      const message = 'failed to compact a log; retried'
      const { code } = error as { code?: string }
      this.#obstructed.met({ ...topicPartition, error }, message, code)
      return false
    }
  }

  /** Returns false if nothing is wrong: the segments were removed, or closed with their log. */
  #setAside(
    log: PartitionLog,
    cleanable: CleanableLog,
    topicPartition: TopicPartition,
    error: unknown,
  ): boolean {
    if (cleanable.sealed.length > 0 && !cleanable.holds(cleanable.sealed)) return false
    this.#uncleanable.add(log)
    this.runs.failed++
    this.#options.logger.error(
      { ...topicPartition, error },
      'failed to compact a log; not retried before the next start',
    )
    cleanable.report(error)
    return true
  }
}
