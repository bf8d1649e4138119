// Writes the files of one partition by group commit: each group of appends is written and synced,
// then its appends are answered, in order.
//
// Invariants: after the first failure nothing more is written, because the content of the disk is
// unknown then, and a repeated fsync may report success for pages that the kernel has already
// dropped. The pending bytes, asserted not to be negative, are those submitted and not answered.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import { GroupCommit } from '../../../protocol/runtime/scheduling/groupCommit.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import type { AbortedTransactionEntry } from '../segment/indexes/transactionIndex.ts'
import type { Roll } from '../segment/rollPolicy.ts'

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

/** One writev takes no more buffers than this (IOV_MAX), and one group no more bytes. */
const maxGroupAppends = 1024
const maxGroupBytes = 4 * 1024 * 1024

export class LogWriter {
  readonly #target: WriterTarget
  readonly #maxPendingBytes: number
  readonly #appends: GroupCommit<PendingAppend>
  #pendingBytes = 0
  #isBroken = false

  constructor(
    target: WriterTarget,
    maxPendingBytes: number,
    scheduler: Scheduler,
    rarePoints?: RarePoints,
  ) {
    this.#target = target
    this.#maxPendingBytes = maxPendingBytes
    this.#appends = new GroupCommit(
      {
        groupLength,
        write: (group) => this.#write(group),
        written: (group) => this.#written(group),
        failed: (group, cause) => this.#failed(group, cause),
      },
      scheduler,
      rarePoints,
    )
  }

  /** Whether appends should be held. A single append is always accepted, however large. */
  get isFull(): boolean {
    return this.#pendingBytes >= this.#maxPendingBytes
  }

  /** Bytes submitted and not yet stable, including the group being written. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  submit(append: PendingAppend): void {
    if (this.#isBroken) {
      append.done(false)
      return
    }
    this.#pendingBytes += append.sizeBytes
    this.#appends.add(append)
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
    await this.#appends.idle()
  }

  async #write(group: readonly PendingAppend[]): Promise<void> {
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

  #written(group: readonly PendingAppend[]): void {
    for (const { sizeBytes } of group) this.#pendingBytes -= sizeBytes
    assert(this.#pendingBytes >= 0, 'the pending bytes of a log are not negative')
    for (const append of group) append.done(true)
    this.#target.drained()
  }

  #failed(group: readonly PendingAppend[], cause: unknown): void {
    this.#isBroken = true
    this.#target.failed(cause)
    const dropped = this.#appends.drain()
    this.#pendingBytes = 0
    for (const append of group) append.done(false)
    for (const append of dropped) append.done(false)
    this.#target.drained()
  }
}

/** The appends that share one write; an append that begins a new segment begins a group. */
function groupLength(pending: readonly PendingAppend[]): number {
  let count = 0
  let bytes = 0
  for (const { roll, sizeBytes } of pending) {
    if (count > 0 && (roll || bytes + sizeBytes > maxGroupBytes)) break
    if (count === maxGroupAppends) break
    bytes += sizeBytes
    count++
  }
  return count
}
