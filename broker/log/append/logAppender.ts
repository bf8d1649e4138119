// The append path of one log: LogTail validates batches and assigns offsets, LogWriter writes them
// in groups. Accepted appends are answered in the order of the calls, after the watermarks have
// moved; refusals, and duplicates that are durable already, at once. While too many bytes are
// pending, or the log is paused for a truncation, appends are held; when too many are held, they
// are refused.
//
// Invariant: no append of a leader is accepted under an epoch older than the one passed to `fence`,
// even if it was called, and held, before.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { DiskSpace } from '../directory/diskSpace.ts'
import { LogWriter, nothingToWrite, type WriterTarget } from '../durability/logWriter.ts'
import type { LogError } from '../logError.ts'
import type { Roll } from '../segment/rollPolicy.ts'
import {
  type AppendOptions,
  type AppendResult,
  appended,
  followerAppend,
  type LeaderAppend,
  notAppended,
} from './appendResult.ts'
import { HeldAppends } from './heldAppends.ts'
import type { LogTail } from './logTail.ts'
import { type Refusal, refuse } from './refusal.ts'

/** The log that is appended to. */
export interface AppendedLog extends Omit<WriterTarget, 'drained'> {
  logStartOffset(): number
  durableEndOffset(): number
  /** The error of a log that accepts no writes; undefined while it does. */
  offline(): LogError | undefined
  /** The error for an append when the log is offline or closed. */
  unusable(): LogError
}

export interface LogAppenderOptions {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly rarePoints: RarePoints | undefined
  readonly space: DiskSpace | undefined
  readonly log: AppendedLog
  /** Bytes pending at which appends are held. */
  readonly maxPendingBytes: number
}

/** Appends are refused when held appends have this many times the bytes that may be pending. */
const heldPerPending = 16

export class LogAppender {
  readonly #options: LogAppenderOptions
  readonly #held: HeldAppends
  #tail!: LogTail
  /** Created lazily: with thousands of partitions, most logs are idle. */
  #madeWriter: LogWriter | undefined
  #isPaused = false
  #isStopped = false
  #fencedBelow = 0

  constructor(options: LogAppenderOptions) {
    this.#options = options
    this.#held = new HeldAppends(heldPerPending * options.maxPendingBytes)
  }

  get tail(): LogTail {
    return this.#tail
  }

  /** Bytes accepted and not yet stable. */
  get pendingBytes(): number {
    return this.#madeWriter?.pendingBytes ?? 0
  }

  /** Bytes of appends that are held and not yet accepted. */
  get heldBytes(): number {
    return this.#held.sizeBytes
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /**
   * The log was opened, or opened again after a truncation: appends continue at the end of `tail`.
   */
  begin(tail: LogTail): void {
    this.#tail = tail
    this.#madeWriter = undefined
  }

  /** Appends of leaders with an older epoch are refused from now on, held ones included. */
  fence(leaderEpoch: number): void {
    assert(leaderEpoch >= this.#fencedBelow, 'a leader epoch never decreases')
    this.#fencedBelow = leaderEpoch
  }

  appendAsLeader(batches: Buffer, options: LeaderAppend): Promise<AppendResult> {
    return this.#append(batches, options)
  }

  appendAsFollower(batches: Buffer): Promise<AppendResult> {
    return this.#append(batches, followerAppend)
  }

  /**
   * Resolves with true when everything accepted so far is stable, with false when the log has
   * failed. `first` is written before.
   */
  barrier(first?: { readonly roll?: Roll; readonly leaderEpochs?: Buffer }): Promise<boolean> {
    return this.#writer.barrier(first)
  }

  /** Holds appends until `resume`. */
  pause(): void {
    assert(!this.#isPaused, 'a log is truncated once at a time')
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#letIn()
  }

  /** Ends what is being written; whatever comes later fails. */
  stopWriting(): Promise<void> {
    return this.#writer.stop()
  }

  /** The log is being closed: refuses appends from now on. */
  refuse(): void {
    this.#isStopped = true
    this.#isPaused = false
  }

  /** Resolves when nothing is being written any more; appends held are refused. */
  async stop(): Promise<void> {
    assert(this.#isStopped, 'a log refuses appends before its writer is stopped')
    await this.#writer.stop()
    this.#letIn()
  }

  #append(batches: Buffer, options: AppendOptions): Promise<AppendResult> {
    const mustWait = this.#isPaused || !this.#held.isEmpty || this.#writer.isFull
    if (!mustWait) return this.#admit(batches, options)
    return this.#held.isFull ? this.#refused(tooManyHeld) : this.#held.hold(batches, options)
  }

  #admit(bytes: Buffer, options: AppendOptions): Promise<AppendResult> {
    const { log, space, clock } = this.#options
    if (log.offline() || this.#isStopped) return Promise.resolve(this.#unusable())
    if (options.origin !== 'replication' && options.leaderEpoch < this.#fencedBelow) {
      return this.#refused(formerEpoch)
    }
    const shortage = options.origin === 'client' ? space?.shortage : undefined
    if (shortage) return this.#refused(refuse(ErrorCode.kafkaStorageError, shortage.message))
    space?.use(bytes.length)
    const decision = this.#tail.append(bytes, options, clock.nowMs())
    if (decision.kind === 'refused') return this.#refused(decision)
    const isDuplicate = decision.kind === 'duplicate'
    if (isDuplicate && decision.lastOffset < log.durableEndOffset()) {
      return Promise.resolve(appended(decision, log.logStartOffset()))
    }
    return new Promise((resolve) => {
      this.#writer.submit({
        ...(isDuplicate ? nothingToWrite : decision),
        sizeBytes: isDuplicate ? bytes.length : decision.bytes.length,
        done: (stable) =>
          resolve(stable ? appended(decision, log.logStartOffset()) : this.#unusable()),
      })
    })
  }

  #letIn(): void {
    this.#held.letIn(
      () => !this.#isPaused && !this.#writer.isFull,
      (bytes, options) => this.#admit(bytes, options),
    )
  }

  #refused(refusal: Refusal): Promise<AppendResult> {
    return Promise.resolve(notAppended(refusal, this.#options.log.logStartOffset()))
  }

  #unusable(): AppendResult {
    const { log } = this.#options
    // A closed log is being deleted, or its broker is shutting down: the client looks for another
    // leader.
    const code = log.offline() ? ErrorCode.kafkaStorageError : ErrorCode.notLeaderOrFollower
    return notAppended(refuse(code, log.unusable().message), log.logStartOffset())
  }

  get #writer(): LogWriter {
    if (this.#madeWriter) return this.#madeWriter
    const { log, scheduler, rarePoints, maxPendingBytes } = this.#options
    const target: WriterTarget = {
      startSegment: (roll) => log.startSegment(roll),
      saveLeaderEpochs: (content) => log.saveLeaderEpochs(content),
      write: (chunks, aborted) => log.write(chunks, aborted),
      failed: (cause) => log.failed(cause),
      drained: () => this.#letIn(),
    }
    this.#madeWriter = new LogWriter(target, maxPendingBytes, scheduler, rarePoints)
    return this.#madeWriter
  }
}

const formerEpoch = refuse(
  ErrorCode.notLeaderOrFollower,
  'the leader epoch of the append was fenced by a newer one',
)

// Retriable; Kafka answers it, too, when a log cannot be written for now.
const tooManyHeld = refuse(
  ErrorCode.kafkaStorageError,
  'too many appends wait for the disk of the partition; retry later',
)
