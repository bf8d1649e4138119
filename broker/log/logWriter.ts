// The one hand that writes to a partition's files: takes groups of appends, writes and syncs each,
// and answers its appends. Groups follow one another in order, never side by side. After the first
// failure nothing is written any more: what the disk holds is then unknown, and a sync that is asked
// for again may report success for pages that the system has already given up.

import { GroupFlush } from './groupFlush.ts'
import type { Roll } from './logTail.ts'
import type { AbortedTransactionEntry } from './segment/transactionIndex.ts'

/** What an append writes, after what `roll` and `leaderEpochs` ask for. */
export interface Written {
  /** Empty for what only waits for those before it. */
  readonly bytes: Buffer
  readonly roll: Roll | undefined
  readonly leaderEpochs: Buffer | undefined
  /** The transactions that a marker among the bytes aborts. */
  readonly aborted: readonly AbortedTransactionEntry[]
}

/** One append on its way to the disk. */
export interface PendingAppend extends Written {
  readonly sizeBytes: number
  /** True: stable by the flush policy. False: the log has failed. */
  readonly done: (stable: boolean) => void
}

/** What is done with a group; every method may fail, and the first failure is the last call. */
export interface WriterTarget {
  startSegment(roll: Roll): Promise<void>
  saveLeaderEpochs(content: Buffer): Promise<void>
  /** Resolves when it is as durable as the policy wants it: readers may have it. */
  write(chunks: readonly Buffer[], aborted: readonly AbortedTransactionEntry[]): Promise<void>
  /** Called once. */
  failed(cause: unknown): void
  /** There is room for appends that were held back. */
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
  #running: Promise<void> | undefined
  #isBroken = false

  constructor(target: WriterTarget, maxPendingBytes: number) {
    this.#target = target
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
    this.#running ??= this.#run()
  }

  /** Resolves when everything submitted so far is stable (true), or the log has failed (false). */
  barrier(first: { roll?: Roll; leaderEpochs?: Buffer } = {}): Promise<boolean> {
    return new Promise((done) => {
      this.submit({ ...nothingToWrite, ...first, sizeBytes: 0, done })
    })
  }

  /** Takes nothing more; resolves when what was taken is done. */
  async stop(): Promise<void> {
    this.#isBroken = true
    await this.#running
  }

  async #run(): Promise<void> {
    // Appends that arrive in the same turn of the event loop share the first group already.
    await undefined
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
