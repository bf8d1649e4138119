// The queue of writes to a file channel's log, written by group commit. After a failed write every
// write fails until `resume`: the end of the log is unknown, and the store must first truncate the
// log to its last durable write.

import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import { GroupCommit } from '../../../protocol/runtime/scheduling/groupCommit.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'

/** Writes and syncs a group; never called concurrently. */
export type WriteGroup<W> = (group: readonly W[]) => Promise<void>

interface QueuedCommit<W> {
  readonly write: W
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class CommitQueue<W> {
  readonly #writeGroup: WriteGroup<W>
  /** Turns an error of the disk into the error with which the pending writes fail. */
  readonly #failureOf: (error: unknown) => Error
  readonly #commits: GroupCommit<QueuedCommit<W>>
  #failure: Error | undefined

  constructor(
    writeGroup: WriteGroup<W>,
    failureOf: (error: unknown) => Error,
    scheduler: Scheduler,
    rarePoints?: RarePoints,
  ) {
    this.#writeGroup = writeGroup
    this.#failureOf = failureOf
    this.#commits = new GroupCommit(
      {
        groupLength: (pending) => pending.length,
        write: (group) => this.#write(group),
        written: (group) => {
          for (const { resolve } of group) resolve()
        },
        failed: (group, error) => {
          this.fail(error)
          for (const { reject } of group) reject(this.#failure!)
        },
      },
      scheduler,
      rarePoints,
    )
  }

  /** The error of the first failed write, until `resume`; every append fails with it. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Writes that wait for the next group. */
  get length(): number {
    return this.#commits.pending.length
  }

  /** Queues a write; resolves when it, and everything queued before it, is durable. */
  append(write: W): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#commits.add({ write, resolve, reject })
    })
  }

  /** Fails all writes from now on, as a failed write does; an earlier failure is kept. */
  fail(error: unknown): void {
    this.#failure ??= this.#failureOf(error)
  }

  /** Accepts writes again. The caller has truncated the log to its last durable write. */
  resume(): void {
    this.#failure = undefined
  }

  /** Resolves when every queued write is durable or has failed. */
  async idle(): Promise<void> {
    await this.#commits.idle()
  }

  async #write(group: readonly QueuedCommit<W>[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await this.#writeGroup(group.map(({ write }) => write))
  }
}
