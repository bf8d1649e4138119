// Writes the files of one partition: takes groups of appends, writes and syncs each group, and
// answers its appends. Groups are written one after another, in order. Invariant: after the first
// failure nothing more is written, because the content of the disk is unknown then, and a repeated
// fsync may report success for pages that the kernel has already dropped.

import type { Scheduler } from '../../../protocol/runtime/scheduler.ts'
import type { Roll } from '../segment/rollPolicy.ts'
import type { AbortedTransactionEntry } from '../segment/transactionIndex.ts'
import { GroupFlush } from './groupFlush.ts'

/** The writes of one append: first `roll` and `leaderEpochs`, then `bytes`. */
export interface Written {
  /** Empty for an append that only waits for the appends before it. */
  readonly bytes: Buffer
  readonly roll: Roll | undefined
  readonly leaderEpochs: Buffer | undefined
  /** The transactions that are aborted by a marker among the bytes. */
  readonly aborted: readonly AbortedTransactionEntry[]
}

/** One append that is queued or being written. */
export interface PendingAppend extends Written {
  readonly sizeBytes: number
  /**
   * Called with true when the bytes are stable by the flush policy, with false when the log has
   * failed.
   */
  readonly done: (stable: boolean) => void
}

/** The writes of a group. Each method may fail; after the first failure none is called again. */
export interface WriterTarget {
  startSegment(roll: Roll): Promise<void>
  saveLeaderEpochs(content: Buffer): Promise<void>
  /** Resolves when the bytes are stable by the flush policy. */
  write(chunks: readonly Buffer[], aborted: readonly AbortedTransactionEntry[]): Promise<void>
  /** Called at most once. */
  failed(cause: unknown): void
  /** A group was written or has failed: held appends may be accepted again. */
  drained(): void
}

export const nothingToWrite: Written = {
  bytes: Buffer.alloc(0),
  roll: undefined,
  leaderEpochs: undefined,
  aborted: [],
}

export class LogWriter {
  readonly #target: WriterTarget
  readonly #queue: GroupFlush<PendingAppend>
  readonly #scheduler: Scheduler
  #running: Promise<void> | undefined
  #isBroken = false

  constructor(target: WriterTarget, maxPendingBytes: number, scheduler: Scheduler) {
    this.#target = target
    this.#scheduler = scheduler
    this.#queue = new GroupFlush(maxPendingBytes)
  }

  get isFull(): boolean {
    return this.#queue.isFull
  }

  get pendingBytes(): number {
    return this.#queue.pendingBytes
  }

  submit(append: PendingAppend): void {
    if (this.#isBroken) {
      append.done(false)
      return
    }
    this.#queue.add(append)
    this.#running ??= this.#runSoon()
  }

  /**
   * Resolves with true when everything submitted so far is stable, with false when the log has
   * failed.
   */
  barrier(first: { roll?: Roll; leaderEpochs?: Buffer } = {}): Promise<boolean> {
    return new Promise((done) => {
      this.submit({ ...nothingToWrite, ...first, sizeBytes: 0, done })
    })
  }

  /** Accepts nothing more; resolves when everything accepted has been answered. */
  async stop(): Promise<void> {
    this.#isBroken = true
    await this.#running
  }

  /** Appends that arrive before the task runs share the first group. */
  #runSoon(): Promise<void> {
    return new Promise((resolve) => this.#scheduler.soon(() => resolve(this.#run())))
  }

  async #run(): Promise<void> {
    while (!this.#queue.isEmpty) {
      const group = this.#queue.take()
      try {
        await this.#flush(group)
      } catch (error) {
        this.#fail(group, error)
        break
      }
      this.#queue.flushed()
      for (const append of group) append.done(true)
      this.#target.drained()
    }
    this.#running = undefined
  }

  async #flush(group: readonly PendingAppend[]): Promise<void> {
    const chunks: Buffer[] = []
    const allAborted: AbortedTransactionEntry[] = []
    for (const { roll, leaderEpochs, bytes, aborted } of group) {
      if (roll) await this.#target.startSegment(roll)
      // Before the batches of the epoch: a replica that knows the records must know their epoch.
      if (leaderEpochs) await this.#target.saveLeaderEpochs(leaderEpochs)
      if (bytes.length > 0) chunks.push(bytes)
      for (const entry of aborted) allAborted.push(entry)
    }
    if (chunks.length > 0) await this.#target.write(chunks, allAborted)
  }

  #fail(group: readonly PendingAppend[], cause: unknown): void {
    this.#isBroken = true
    this.#target.failed(cause)
    const dropped = this.#queue.drain()
    for (const append of group) append.done(false)
    for (const append of dropped) append.done(false)
    this.#target.drained()
  }
}
